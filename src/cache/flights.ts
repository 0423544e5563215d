import type { Dependencies } from '../register/ledger.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Register } from '../register/register.ts';

/** One computation under way in this process, which later callers may share. */
interface Flight<Outcome> {
  /** Settles when the computation has ended, or has turned out not to be shareable. */
  readonly outcome: Promise<Outcome>;
}

/** When a computation began, and what is known to invalidate it. */
interface FlightOrigin {
  readonly stamp: Stamp;
  readonly known: Dependencies;
}

/** Computations under way, one per address. */
export interface Flights<Outcome> {
  /**
   * The flight that a caller may join whose lookup has just been verified; `undefined` when there is none, or when what it computes was invalidated after it
   * began, softly too: who comes after that wants a new one. What becomes known only at its end (tags) the caller judges then.
   */
  find(address: string): Flight<Outcome> | undefined;
  /** Registers a flight, in the place of one that nobody may join any more. It may be joined until the returned function is called. */
  begin(address: string, origin: FlightOrigin, outcome: Promise<Outcome>): () => void;
}

/** Creates an empty table of flights. */
export function createFlights<Outcome>(register: Register): Flights<Outcome> {
  const flights = new Map<string, Flight<Outcome> & FlightOrigin>();
  return {
    find(address) {
      const flight = flights.get(address);
      if (flight === undefined) return undefined;
      return register.judge(flight.stamp, () => flight.known) === 'valid' ? flight : undefined;
    },
    begin(address, origin, outcome) {
      const flight = { ...origin, outcome };
      flights.set(address, flight);
      return () => {
        if (flights.get(address) === flight) flights.delete(address);
      };
    },
  };
}
