import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import * as fc from 'fast-check';
import { isRefresh } from '../../src/index.ts';
import {
  contentOf,
  type Directives,
  fault,
  type Purge,
  type Question,
  type Run,
  type Step,
  step,
} from './history-model.ts';
import { type Answer, ask, listen, openSuite, PLACES } from './support.ts';

const PAGES = [0, 1];
const CREDENTIALS: Readonly<Record<Question['user'], Record<string, string>>> = {
  nobody: {},
  alice: { Authorization: 'Bearer alice' },
  bob: { Authorization: 'Bearer bob' },
  carol: { Cookie: 'user=carol' },
};

function written(directives: Directives): string {
  return Object.entries(directives)
    .map(([name, value]) => (value === true ? name : `${name}=${value}`))
    .join(', ');
}

/** Seconds that tests have let pass. */
let passed = 0;
afterEach(() => void jest.restoreAllMocks());

/** All that has happened: runs of handlers by number, and what was purged. */
function createWorld() {
  let ticks = 0;
  return {
    runs: [] as Run[],
    purges: [] as Purge[],
    versions: PAGES.map(() => 1),
    scripts: PAGES.map(() => FIRST),
    /** The latest ETag that clients have seen. */
    known: PAGES.map(() => '"none"'),
    tick: () => ++ticks,
  };
}
type World = ReturnType<typeof createWorld>;

function change({ versions }: World, page: number): void {
  versions[page] = (versions[page] ?? 0) + 1;
}

const FIRST: Run['script'] = {
  status: 200,
  directives: { 'max-age': 3600 },
  age: 0,
  personal: 'no',
  isByLanguage: false,
  etag: 'strong',
  takesRanges: false,
  setsCookie: false,
  delay: 0,
};

/** That a handler is watched is the policy `app` alone: by the book responses have to say whom they are for. */
function adapt(script: Run['script'], policy: 'app' | 'rfc9111'): Run['script'] {
  return script.personal === 'unsaid' && policy === 'rfc9111' ? { ...script, personal: 'vary' } : script;
}

function whoAsks({ headers }: Request): string {
  return /(alice|bob|carol)/.exec(`${headers.authorization} ${headers.cookie}`)?.[0] ?? 'nobody';
}

const questionOf = new WeakMap<Request, number>();

/** The handler: does what the page's script says, and notes what it did. */
async function play(world: World, req: Request, res: Response): Promise<void> {
  const at = Number(req.params['page']);
  const script = world.scripts[at] ?? FIRST;
  const run: Run = {
    page: at,
    version: world.versions[at] ?? 0,
    owner: script.personal === 'no' ? 'all' : whoAsks(req),
    language: script.isByLanguage ? String(req.headers['accept-language']) : 'any',
    script,
    isAuthorized: script.personal === 'no' ? false : req.headers.authorization !== undefined,
    question: isRefresh(req) ? -1 : (questionOf.get(req) ?? -1),
    startedAt: world.tick(),
    time: passed,
  };
  const number = world.runs.push(run) - 1;
  for (let i = 0; i < script.delay; i++) await nextTurn();
  if (script.status === 'throw') throw new Error('as the script says');
  describeRun(res, run, number);
  if (script.status !== 200) return void res.status(script.status).end(`status ${script.status}`);
  const etag = String(res.getHeader('etag') ?? '');
  const asked = req.headers['if-none-match'];
  if (etag !== '' && asked === etag) return void res.status(304).end();
  sendContent(req, res, { whole: contentOf(run), etag, takesRanges: script.takesRanges });
}

function describeRun(res: Response, { page, version, owner, language, script }: Run, number: number): void {
  res.set({ 'X-Run': String(number), Age: String(script.age) });
  const directives =
    script.personal === 'private' ? { ...script.directives, private: true as const } : script.directives;
  // Always there: what a 304 leaves out stays as it was.
  res.set('Cache-Control', written(directives) || 'none');
  const tag = `"${page}-${version}-${owner}-${language}"`;
  if (script.etag !== 'none') res.set('ETag', script.etag === 'weak' ? `W/${tag}` : tag);
  if (script.setsCookie) res.cookie('seen', String(number));
  if (script.isByLanguage) res.vary('Accept-Language');
  if (script.personal === 'vary') res.vary('Authorization').vary('Cookie');
}

function sendContent(
  req: Request,
  res: Response,
  { whole, etag, takesRanges }: { whole: string; etag: string; takesRanges: boolean },
): void {
  const { range, 'if-range': condition } = req.headers;
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
  const isWanted = takesRanges && range !== undefined && (condition === undefined || condition === etag);
  if (!isWanted) return void res.end(whole);
  const from = first === '' ? whole.length - Number(last) : Number(first);
  const to = first === '' || last === '' ? whole.length - 1 : Math.min(Number(last), whole.length - 1);
  if (from >= whole.length) return void res.status(416).set('Content-Range', `bytes */${whole.length}`).end();
  res
    .status(206)
    .set('Content-Range', `bytes ${from}-${to}/${whole.length}`)
    .end(whole.slice(from, to + 1));
}

function fieldsOf({ user, language, condition, range, directives }: Question, known: string): Record<string, string> {
  const conditions = { none: undefined, known, other: '"other"', any: '*' };
  const etags = conditions[condition];
  return {
    ...CREDENTIALS[user],
    'Accept-Language': language,
    ...(etags !== undefined && { 'If-None-Match': etags }),
    ...(range !== undefined && { Range: range }),
    ...(Object.keys(directives).length > 0 && { 'Cache-Control': written(directives) }),
  };
}

/** What histories have been about, over all of a test: one that never hits proves nothing. */
type Seen = Record<string, number>;

/** Serves worlds at `/<world>/<page>` and plays histories in them. */
async function stage(place: (typeof PLACES)[number], policy: 'app' | 'rfc9111') {
  const suite = openSuite(place);
  const worlds: World[] = [];
  const seen: Seen = {};
  let asked = 0;
  const app = express();
  const number: RequestHandler = (req, _res, next) => {
    questionOf.set(req, Number(req.headers['x-question'] ?? -1));
    delete req.headers['x-question'];
    next();
  };
  const world = (req: Request): World => worlds[Number(req.params['world'])] ?? createWorld();
  const tags = (req: Request): string[] => [`${String(req.params['world'])}:${String(req.params['page'])}`];
  app.all('/:world/:page', number, suite.cache({ policy, tags, jitter: 0 }), (req, res, next) => {
    if (req.method === 'GET' || req.method === 'HEAD') {
      play(world(req), req, res).catch(next);
      return;
    }
    change(world(req), Number(req.params['page']));
    res.status(204).end();
  });
  const broken: ErrorRequestHandler = (_error, _req, res, _next) => void res.status(500).end('broken');
  app.use(broken);
  const port = await listen(app);

  async function question(id: number, { page, method, ...rest }: Question): Promise<void> {
    const { runs, purges, known, tick } = worlds[id] ?? createWorld();
    const own = ++asked;
    const [sentAt, time] = [tick(), passed];
    const headers = { ...fieldsOf({ page, method, ...rest }, known[page] ?? ''), 'X-Question': String(own) };
    const answer = await ask(port, `/${id}/${page}`, { method, headers });
    const mine = runs.filter((run) => run.question === own);
    const hasFailed = mine.some(({ script }) => script.status === 503 || script.status === 'throw');
    note(seen, answer);
    const said = answer.headers['x-run'];
    const run = said === undefined ? undefined : runs[Number(said)];
    if (run === undefined) {
      const isOurs = answer.status === 504 && 'only-if-cached' in rest.directives && policy === 'rfc9111';
      return expect(isOurs || (answer.status === 500 && mine.length > 0) ? undefined : answer).toBeUndefined();
    }
    known[page] = answer.headers.etag ?? known[page] ?? '';
    const evidence = { policy, question: { page, method, ...rest }, sentAt, time, answer, run, hasFailed, purges };
    const wrong = fault({ ...evidence, isOwn: mine.includes(run) });
    if (wrong !== undefined) throw new Error(`${wrong}: ${JSON.stringify({ ...evidence, purges })}`);
  }

  async function purge(id: number, { page, by, mode, meanwhile }: Extract<Step, { kind: 'purge' }>): Promise<void> {
    const { purges, tick } = worlds[id] ?? createWorld();
    const going = meanwhile.map((one) => question(id, one));
    const what = { tags: [`${id}:${page}`], urls: [`/${id}/${page}`], prefix: `GET:/${id}/${page}` };
    change(worlds[id] ?? createWorld(), page);
    const issuedAt = tick();
    await suite.invalidate({ [by]: what[by], mode });
    purges.push({ page, mode, issuedAt, resolvedAt: tick() });
    await Promise.all(going);
  }

  async function write(id: number, { page, method }: Extract<Step, { kind: 'write' }>): Promise<void> {
    const { purges, tick } = worlds[id] ?? createWorld();
    const issuedAt = tick();
    await ask(port, `/${id}/${page}`, { method });
    purges.push({ page, mode: 'hard', issuedAt, resolvedAt: tick() });
  }

  async function take(id: number, action: Step): Promise<unknown> {
    const { scripts } = worlds[id] ?? createWorld();
    if (action.kind === 'write') return write(id, action);
    if (action.kind === 'purge') return purge(id, action);
    if (action.kind === 'change') return change(worlds[id] ?? createWorld(), action.page);
    if (action.kind === 'wait') return place === 'memory' ? (passed += 30) : undefined;
    for (const { page } of action.questions) scripts[page] = adapt(action.script ?? scripts[page] ?? FIRST, policy);
    return Promise.all(action.questions.map((one) => question(id, one)));
  }

  async function history(steps: readonly Step[]): Promise<void> {
    const id = worlds.push(createWorld()) - 1;
    for (const action of steps) await take(id, action);
  }

  return { history, seen };
}

function note(seen: Seen, { status, headers }: Answer): void {
  const verdict = String(headers['cache-status']);
  const words = [
    String(status),
    ...[
      'hit',
      'stale',
      'collapsed',
      'fwd-status=304',
      'fwd-status=206',
      'fwd=partial',
      'fwd=vary-miss',
      'ttl=-',
    ].filter((word) => verdict.includes(word)),
  ];
  for (const word of words) seen[word] = (seen[word] ?? 0) + 1;
}

/** What no run of so many histories is without, but once in very many. */
const SEEN = {
  app: ['200', '304', 'hit'],
  rfc9111: ['200', '304', 'hit', 'stale'],
};

const seenBy: Record<'app' | 'rfc9111', Seen> = { app: {}, rfc9111: {} };

describe.each(PLACES)('any history on %s', (place) => {
  it.each(['app', 'rfc9111'] as const)(
    'of requests, answers, purges and time, by the policy %s, gives nobody what the model forbids',
    async (policy) => {
      const { now } = performance;
      passed = 0;
      jest.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 1_000 * passed);
      const { history, seen } = await stage(place, policy);
      await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 30 }), history), {
        numRuns: place === 'memory' ? 30 : 12,
        endOnFailure: true, // What is thrown says all: shrinking would take longer than the test may.
      });
      expect(seen['200']).toBeGreaterThan(0);
      for (const [word, count] of Object.entries(seen)) seenBy[policy][word] = (seenBy[policy][word] ?? 0) + count;
    },
  );
});

it.each(['app', 'rfc9111'] as const)(
  'these histories, by the policy %s, were about the common kinds of answers',
  (policy) => {
    expect(Object.keys(seenBy[policy])).toEqual(expect.arrayContaining(SEEN[policy]));
  },
);
