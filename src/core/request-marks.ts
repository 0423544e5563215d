const USED = Symbol('session used');

interface Marked {
  [USED]?: true;
}

/** Notes that a session had a part in how a request is answered, or that its response sets a session's cookie. Takes the request of Node or Express. */
export function markSessionUsed(req: object): void {
  (req as Marked)[USED] = true;
}

/** Whether a session had a part in how a request is answered: such a response is for one user. */
export function hasUsedSession(req: object): boolean {
  return (req as Marked)[USED] === true;
}
