import type { PolicyChange } from './policy-options.ts';

/** What was changed of the policies of a limiter while in use, by their names. */
type Changes = Readonly<Record<string, PolicyChange>>;

/** Where changes are kept for all processes. */
export interface ChangesStore {
  /** `undefined` when it cannot be asked. */
  read(): Promise<Readonly<Record<string, string>> | undefined>;
  /** `undefined` removes. */
  write(policy: string, change: string | undefined): Promise<void>;
}

/** The changes that hold now. */
export interface LiveSettings {
  readonly changes: Changes;
  /** Looks for changes when it is time, beside whatever is asked of Redis. A promise is to be waited for, and says whether anything changed. */
  check(): Promise<boolean> | undefined;
  write(policy: string, change: PolicyChange | undefined): Promise<void>;
}

/** Decisions look so often at most. */
const CHECK_INTERVAL_MS = 500;
/** No decision relies on what is older. */
const MAX_AGE_MS = 1_000;

/** Creates the settings of one limiter in this process. */
export function createLiveSettings(store: ChangesStore, onChange: () => void): LiveSettings {
  let changes: Changes = {};
  let text = '{}';
  let checkedAtMs = -Infinity;
  let checking: Promise<boolean> | undefined;

  function adopt(read: Readonly<Record<string, string>>): boolean {
    const newText = JSON.stringify(read);
    if (newText === text) return false;
    text = newText;
    changes = Object.fromEntries(Object.entries(read).map(([name, json]) => [name, JSON.parse(json) as PolicyChange]));
    onChange();
    return true;
  }

  async function read(): Promise<boolean> {
    try {
      const found = await store.read();
      return found !== undefined && adopt(found);
    } catch {
      return false; // Not written by us: what held before goes on holding.
    } finally {
      checkedAtMs = performance.now();
      checking = undefined;
    }
  }

  return {
    get changes() {
      return changes;
    },
    check() {
      const ageMs = performance.now() - checkedAtMs;
      if (ageMs < CHECK_INTERVAL_MS) return undefined;
      checking ??= read();
      return ageMs < MAX_AGE_MS ? undefined : checking;
    },
    async write(policy, change) {
      await store.write(policy, change === undefined ? undefined : JSON.stringify(change));
      checkedAtMs = -Infinity;
      await read();
    },
  };
}

/** Changes of this process alone. */
export function createMemoryChanges(): ChangesStore {
  const kept = new Map<string, string>();
  return {
    read: async () => Object.fromEntries(kept),
    async write(policy, change) {
      if (change === undefined) kept.delete(policy);
      else kept.set(policy, change);
    },
  };
}
