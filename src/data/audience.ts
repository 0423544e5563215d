/** Who waits for one load. Once all have left who came, its signal is aborted. */
export interface Audience {
  /** One more waits. To be called with the returned function when he does no more. */
  enter(): () => void;
  readonly signal: AbortSignal;
  /** The loader has ended, or may not take longer. */
  close(): void;
}

/** Creates the audience of a load; after `maxMs` it is taken to have left. */
export function createAudience(maxMs: number): Audience {
  let waiting = 0;
  let controller: AbortController | undefined;
  let timer: NodeJS.Timeout | undefined;
  let hasLeft = false;

  function leave(): void {
    hasLeft = true;
    controller?.abort();
  }

  return {
    enter() {
      waiting++;
      let isHere = true;
      return () => {
        if (!isHere) return;
        isHere = false;
        waiting--;
        if (waiting === 0) leave();
      };
    },
    /** Made when a loader looks at it: most do not. */
    get signal() {
      if (controller === undefined) {
        controller = new AbortController();
        if (hasLeft) controller.abort();
        else timer = setTimeout(leave, maxMs).unref();
      }
      return controller.signal;
    },
    close: () => clearTimeout(timer),
  };
}
