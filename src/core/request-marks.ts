const withSession = new WeakSet<object>();

/** Notes that a session had a part in how a request is answered, or that its response sets a session's cookie. Takes the request of Node or Express. */
export function markSessionUsed(req: object): void {
  withSession.add(req);
}

/** Whether a session had a part in how a request is answered: such a response is for one user. */
export function hasUsedSession(req: object): boolean {
  return withSession.has(req);
}
