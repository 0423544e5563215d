/** What the owner of an entry has made of it, so as not to make it again. */
interface Made {
  /** Who made it: it is for nobody else. */
  readonly owner: symbol;
  /** How much memory it takes. */
  readonly bytes: number;
  take(): unknown;
}

/** A place beside an entry in the memory of this process. What is kept there counts as part of the entry, and goes with it. */
export interface Beside {
  readonly address: string;
  /** How often the entry was used before anything was kept, as its owner counts. */
  uses: number;
  made: Made | undefined;
  /** Keeps what was made, unless the entry has gone, something is kept already, or what is kept beside entries would take more than this share of the memory. Returns whether it is kept. */
  readonly keep: (beside: Beside, made: Made, maxShare: number) => boolean;
}
