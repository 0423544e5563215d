/** Ends that are remembered. Requests that were answered leave none behind. */
const MAX_ENDS = 10_000;

/** Sessions that handlers have ended: under way, or failed without anybody having been told. So that a response can wait for what its handler did not wait for. */
export interface Ends {
  /** `mustTell`: nobody else is told when it fails. */
  add(id: string, ending: Promise<void>, mustTell: boolean): void;
  /** The end of a session, if there is one to wait for; it is forgotten. */
  take(id: string): Promise<void> | undefined;
}

export function createEnds(): Ends {
  const ends = new Map<string, Promise<void>>();

  return {
    add(id, ending, mustTell) {
      const [oldest] = ends.size < MAX_ENDS ? [] : ends.keys();
      if (oldest !== undefined) ends.delete(oldest);
      ends.set(id, ending);
      const forget = (): void => {
        if (ends.get(id) === ending) ends.delete(id);
      };
      ending.then(forget, mustTell ? () => undefined : forget);
    },
    take(id) {
      const ending = ends.get(id);
      ends.delete(id);
      return ending;
    },
  };
}
