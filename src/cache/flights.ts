import type { Dependencies } from '../register/ledger.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Register } from '../register/register.ts';

/** One computation under way in this process, which later callers may share. */
export interface Flight<Outcome> {
  /** Settles when the computation has ended, or has turned out not to be shareable. */
  readonly outcome: Promise<Outcome>;
}

/** Computations under way, one per address. */
export interface Flights<Outcome> {
  /**
   * The flight that a caller may join whose lookup has just been verified; `undefined` when there is none, or when what it computes was invalidated after it
   * began. What becomes known only at its end (tags) the caller judges then.
   */
  find(address: string): Flight<Outcome> | undefined;
  /** Registers a flight. It takes the place of one that nobody may join any more. */
  begin(address: string, stamp: Stamp, known: Dependencies, outcome: Promise<Outcome>): void;
}

/** Creates an empty table of flights. */
export function createFlights<Outcome>(register: Register): Flights<Outcome> {
  const flights = new Map<string, Flight<Outcome> & { stamp: Stamp; known: Dependencies }>();
  return {
    find(address) {
      const flight = flights.get(address);
      if (flight === undefined) return undefined;
      return register.judge(flight.stamp, () => flight.known) === 'dead' ? undefined : flight;
    },
    begin(address, stamp, known, outcome) {
      const flight = { stamp, known, outcome };
      flights.set(address, flight);
      const end = (): void => {
        if (flights.get(address) === flight) flights.delete(address);
      };
      outcome.then(end, end);
    },
  };
}
