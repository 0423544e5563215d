const MARKS = Symbol('marks');

/** What parts of the suite let each other know of a request. One object for all: engines need long for every property that is added to a request. */
export interface RequestMarks {
  hasUsedSession: boolean;
}

interface Marked {
  [MARKS]?: RequestMarks;
}

/** Notes that a session had a part in how a request is answered, or that its response sets a session's cookie. Takes the request of Node or Express. */
export function markSessionUsed(req: object): void {
  ((req as Marked)[MARKS] ??= { hasUsedSession: false }).hasUsedSession = true;
}

/** Whether a session had a part in how a request is answered: such a response is for one user. */
export function hasUsedSession(req: object): boolean {
  return marksOf(req)?.hasUsedSession === true;
}

export function marksOf(req: object): RequestMarks | undefined {
  return (req as Marked)[MARKS];
}

/** Gives a request marks that hold more than that. */
export function setMarks(req: object, marks: RequestMarks): void {
  (req as Marked)[MARKS] = marks;
}
