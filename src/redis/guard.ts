import { type CircuitBreaker, createCircuitBreaker } from '../core/circuit-breaker.ts';
import { CircuitOpenError, RedisError, TimeoutError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import { nodeOf, type RedisClient } from './client.ts';
import { createTurnDeadlines, type Turn } from './turn.ts';

const PROBE_INTERVAL_MS = 200;

/** One call to Redis and what happens instead when Redis is slow, away or unwilling. */
interface GuardedCall<Fallback> {
  /** What is asked, in words: `read entry`. */
  readonly operation: string;
  /** The key it is about: on Cluster it says which node must be well. */
  readonly key: string;
  /** What tells of a failure. Default: `cache:error`. */
  readonly event?: 'cache:error' | 'limit:error';
  /** Answers in Redis' place. May throw: then the caller sees that error. */
  readonly fallback: (error: RedisError) => Fallback;
}

/**
 * Sends one call under the connection's rules: never waits past the deadline, never sends while the circuit is open or too much is in flight,
 * and answers with the call's own fallback instead. What was sent and timed out may still happen. `send` may `fail` before it is answered.
 */
export type Guard = <Reply, Fallback>(
  call: GuardedCall<Fallback>,
  send: (fail: (cause: unknown) => void) => Promise<Reply>,
) => Promise<Reply | Fallback>;

export interface GuardOptions {
  readonly client: RedisClient;
  readonly events: EventBus;
  readonly turn: Turn;
  /** Milliseconds one call may take. */
  readonly deadlineMs: number;
  /** Calls that may be unanswered at a time by one node, those given up included: the client's queues have no bound of their own. */
  readonly maxInFlight: number;
}

interface Circuit {
  readonly node: string;
  readonly breaker: CircuitBreaker;
  /** A key of this node, for probes. */
  key: string;
  probe: NodeJS.Timeout | undefined;
  /** Calls that it has not answered yet. */
  inFlight: number;
}

/** Rethrows: the fallback of calls that have none. */
export function noFallback(error: RedisError): never {
  throw error;
}

/** Creates the guard of one connection. On Cluster every node has a circuit of its own, so that one frozen master does not close off the others. */
export function createGuard({ client, events, turn, deadlineMs, maxInFlight }: GuardOptions): Guard {
  const circuits = new Map<string, Circuit>();
  const deadlines = createTurnDeadlines(turn, deadlineMs);
  let hasBeenReady = client.status === 'ready';

  client.on('ready', () => {
    hasBeenReady = true;
    for (const circuit of circuits.values()) if (circuit.breaker.isOpen) probe(circuit);
  });

  function circuitOf(key: string): Circuit {
    const node = nodeOf(client, key);
    let circuit = circuits.get(node);
    if (circuit === undefined) {
      circuit = { node, key, breaker: createCircuitBreaker(), probe: undefined, inFlight: 0 };
      circuits.set(node, circuit);
    }
    return circuit;
  }

  /** A connection that is being made for the first time may be waited for; one that broke is not. */
  function isReachable(): boolean {
    if (client.status === 'ready') return true;
    return !hasBeenReady && ['wait', 'connecting', 'connect'].includes(client.status);
  }

  function refusal(circuit: Circuit, operation: string): RedisError | undefined {
    if (circuit.breaker.isOpen) return new CircuitOpenError(operation, PROBE_INTERVAL_MS);
    if (!isReachable()) {
      const error = new RedisError(operation, `Redis is not connected (${client.status}): "${operation}" was not sent`);
      if (circuit.breaker.open()) degrade(circuit, error);
      return error;
    }
    if (circuit.inFlight < maxInFlight) return undefined;
    return new RedisError(operation, `${maxInFlight} calls are unanswered already: "${operation}" was not sent`);
  }

  function degrade(circuit: Circuit, error: RedisError): void {
    events.tell('redis:degraded', { node: circuit.node, error });
    scheduleProbe(circuit, PROBE_INTERVAL_MS);
  }

  function scheduleProbe(circuit: Circuit, delayMs: number): void {
    clearTimeout(circuit.probe);
    circuit.probe = setTimeout(() => probe(circuit), delayMs).unref();
  }

  /** Asks in the background, so that no request ever waits to find out. Only an answer within the deadline closes the circuit. */
  function probe(circuit: Circuit): void {
    clearTimeout(circuit.probe);
    if (client.status !== 'ready') {
      if (client.status !== 'end') scheduleProbe(circuit, PROBE_INTERVAL_MS);
      return;
    }
    const sentAt = performance.now();
    const answered = (): void => {
      if (performance.now() - sentAt > deadlineMs) scheduleProbe(circuit, 0);
      else if (circuit.breaker.succeed()) events.tell('redis:recovered', { node: circuit.node });
    };
    client.eval('return 1', 1, circuit.key).then(answered, (cause: unknown) => {
      if (isOutage(cause)) scheduleProbe(circuit, PROBE_INTERVAL_MS);
      else answered();
    });
  }

  return function guard(call, send) {
    const circuit = circuitOf(call.key);
    const refused = refusal(circuit, call.operation);
    if (refused !== undefined) return answerInstead(call, refused, events);
    circuit.inFlight++;
    turn.begin();
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const cancelDeadline = deadlines.add(() => fail(new TimeoutError(call.operation, deadlineMs)));

      function settle(): boolean {
        if (isSettled) return false;
        isSettled = true;
        cancelDeadline();
        return true;
      }
      function fail(error: RedisError): void {
        if (!settle()) return;
        circuit.key = call.key;
        if (isOutage(error.cause) && circuit.breaker.fail()) degrade(circuit, error);
        answerInstead(call, error, events).then(resolve, reject);
      }

      function failBecause(cause: unknown): void {
        fail(toRedisError(call.operation, cause));
      }

      send(failBecause).then(
        (reply) => {
          circuit.inFlight--;
          if (!settle()) return;
          if (!circuit.breaker.isOpen) circuit.breaker.succeed();
          resolve(reply);
        },
        (cause: unknown) => {
          circuit.inFlight--;
          failBecause(cause);
        },
      );
    });
  };
}

async function answerInstead<Fallback>(
  call: GuardedCall<Fallback>,
  error: RedisError,
  events: EventBus,
): Promise<Fallback> {
  events.tell(call.event ?? 'cache:error', { operation: call.operation, error });
  return call.fallback(error);
}

/** What callers see of an error of the client. */
export function toRedisError(operation: string, cause: unknown): RedisError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  hideCommands(cause);
  return new RedisError(operation, `Redis failed to ${operation}: ${reason}`, { cause });
}

/** The client's errors carry what was sent: keys and contents, which whoever logs an error does not mean to log. */
function hideCommands(cause: unknown): void {
  if (!(cause instanceof Error)) return;
  for (const name of ['command', 'previousErrors']) {
    if (name in cause) Object.defineProperty(cause, name, { enumerable: false });
  }
}

/** An error reply proves a server that answers (it may be full or read-only), unless the reply says that it cannot serve at all. */
function isOutage(cause: unknown): boolean {
  if (!(cause instanceof Error) || cause.name !== 'ReplyError') return true;
  return /^(?:LOADING|MASTERDOWN|CLUSTERDOWN)\b/.test(cause.message);
}
