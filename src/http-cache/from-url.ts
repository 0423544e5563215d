import type { Request } from 'express';

/** A value of `req.params` or `req.query`, where middleware may have put another than the URL says: `req.params.id = req.user.id`. */
interface Foreign {
  readonly target: object;
  readonly name: string;
}

/** The parameters of a request whose values are not those of its URL. */
export function foreignParameters(req: Request): Foreign[] {
  const params = req.params as typeof req.params | undefined;
  const inPath = Object.keys(params ?? {}).filter((name) => !isFromPath(req, name, params?.[name]));
  return [...inPath.map((name) => ({ target: req.params, name })), ...foreignInQuery(req)];
}

/** What the route declares is looked for in all of the path, other parameters where their routers are mounted. */
function isFromPath(req: Request, name: string, value: string | readonly string[] | undefined): boolean {
  if (value === undefined) return true;
  const text = Array.isArray(value) ? value.join('/') : String(value);
  const path = isDeclared(req, name) ? (req.originalUrl.split(/[?#]/, 1)[0] ?? '') : req.baseUrl;
  return holds(decoded(path), text);
}

function isDeclared({ route }: Request, name: string): boolean {
  const { path } = (route ?? {}) as { path?: unknown };
  if (typeof path !== 'string') return true; // Patterns name nothing.
  return (
    path.split(/[^\w:*"]+/).some((part) => part.replaceAll('"', '').split(/[:*]/).includes(name)) || /^\d+$/.test(name)
  );
}

/** As a word of its own: the `1` of `/v1/me` is nobody's number. */
function holds(path: string, text: string): boolean {
  if (text === '') return true;
  for (let at = path.indexOf(text); at >= 0; at = path.indexOf(text, at + 1)) {
    if (!isInWord(path[at - 1]) && !isInWord(path[at + text.length])) return true;
  }
  return false;
}

function isInWord(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}_]/u.test(character);
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Express 5 reads the query anew each time, unless somebody has put something in its place; Express 4 keeps what it has read. */
function foreignInQuery(req: Request): Foreign[] {
  if (!Object.hasOwn(req, 'query')) return [];
  const parse = req.app.get('query parser fn') as ((text: string) => Record<string, unknown>) | undefined;
  const at = req.originalUrl.indexOf('?');
  const sent = at < 0 ? {} : (parse?.(req.originalUrl.slice(at + 1).split('#', 1)[0] ?? '') ?? {});
  const query = req.query as Record<string, unknown>;
  const isSame = (name: string): boolean => JSON.stringify(query[name]) === JSON.stringify(sent[name]);
  return Object.keys(query)
    .filter((name) => !isSame(name))
    .map((name) => ({ target: query, name }));
}
