import type { ServerResponse } from 'node:http';

/**
 * Calls `before` when a response is about to begin, with its status set, and holds back everything the handler sends, headers and body, until the returned
 * promise has settled either way. `undefined` holds nothing. While it is held the response says `headersSent`, and `write` asks for patience as a full socket does.
 */
export function holdResponse(res: ServerResponse, before: () => Promise<unknown> | undefined): void {
  const { writeHead, write, end, flushHeaders } = res;
  let state: 'waiting' | 'held' | 'open' = 'waiting';
  let held: (() => void)[] = [];
  let mustDrain = false;

  function begin(): void {
    state = 'open';
    const wait = before();
    if (wait === undefined) return;
    state = 'held';
    Object.defineProperty(res, 'headersSent', { configurable: true, get: () => true });
    wait.then(release, release);
  }

  function release(): void {
    const calls = held;
    held = [];
    state = 'open';
    Reflect.deleteProperty(res, 'headersSent');
    try {
      for (const call of calls) call();
      if (mustDrain && !res.writableEnded && !res.writableNeedDrain) res.emit('drain');
    } catch (error) {
      // The handler has returned long ago and cannot be told: headers that Node refuses end the connection.
      res.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Makes the call, or keeps it for later and answers `instead`. Others may have wrapped these methods since, so they stay in place and step aside. */
  function pass<T>(call: () => T, instead: T): T {
    if (state === 'waiting') begin();
    if (state === 'open') return call();
    held.push(call);
    return instead;
  }

  Object.assign(res, {
    writeHead(...args: Parameters<typeof writeHead>) {
      if (state === 'waiting') res.statusCode = args[0];
      return pass(() => writeHead.apply(res, args), res);
    },
    write(...args: Parameters<typeof write>) {
      const isTaken = pass(() => write.apply(res, args), false);
      if (state === 'held') mustDrain = true;
      return isTaken;
    },
    end: (...args: Parameters<typeof end>) => pass(() => end.apply(res, args), res),
    flushHeaders: () => pass(() => flushHeaders.call(res), undefined),
  });
}
