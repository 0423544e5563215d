import type { Duplex } from 'node:stream';
import { startDeadline } from '../core/deadline.ts';
import { createWaitingList, type WaitingList } from '../core/waiting-list.ts';
import { isCluster, type RedisClient } from './client.ts';

/** One turn of the event loop, in which what is sent to Redis leaves together. */
export interface Turn {
  /** Something is about to be sent. */
  begin(): void;
  /** Runs a task when everything of this turn has been sent; what it sends leaves with that. */
  atEnd(task: () => void): void;
  /** Others wait for what has gathered: it leaves now, the first time in a turn. Each time would be a system call per command after all. */
  hurry(): void;
  /** Leaves word of what was sent just now, for who wants the same. */
  note(sent: object): void;
  /**
   * That word, while nothing was sent behind it and it has not left itself: what it is about will then be done after now, and in the place that the same would get, sent once more. Absent
   * on Cluster, where everything leaves at once.
   */
  readonly latest: object | undefined;
}

/** So many calls leave together: in a turn of many, Redis works on the first while the last are still being made. */
const AT_ONCE = 16;

/**
 * Gathers the commands of a turn: the socket of a single server is corked at the first of them and uncorked when pending input has been handled, or so many have gathered. That keeps the
 * latency of a round trip and saves a system call per command, here and in Redis. Cluster sends as ioredis does: its sockets are one per node.
 */
export function createTurn(client: RedisClient): Turn {
  let tasks: (() => void)[] = [];
  let hasBegun = false;
  let socket: Corkable | undefined;
  let calls = 0;
  let hasHurried = false;
  let latest: object | undefined;

  function start(): void {
    hasBegun = true;
    hasHurried = false;
    calls = 0;
    socket = socketOf(client);
    socket?.cork();
    setImmediate(() => {
      try {
        for (const task of tasks) task(); // And what they add.
      } finally {
        tasks = [];
        hasBegun = false;
        latest = undefined;
        socket?.uncork();
      }
    });
  }

  function flush(): void {
    calls = 0;
    latest = undefined;
    socket?.uncork();
    socket?.cork();
  }

  return {
    begin() {
      if (!hasBegun) start();
      else if (calls === AT_ONCE) flush();
      calls++;
      latest = undefined;
    },
    atEnd(task) {
      if (!hasBegun) start();
      tasks.push(task);
    },
    hurry() {
      if (!hasBegun || hasHurried) return;
      hasHurried = true;
      flush();
    },
    note(sent) {
      if (hasBegun && socket !== undefined) latest = sent;
    },
    get latest() {
      return latest !== undefined && socketOf(client) === socket ? latest : undefined; // Another socket holds nothing back.
    },
  };
}

type Corkable = Pick<Duplex, 'cork' | 'uncork'>;

/** ioredis has had this property for ever, but does not document it: without it everything works as well. */
function socketOf(client: RedisClient): Corkable | undefined {
  if (isCluster(client)) return undefined;
  const stream = client.stream as Partial<Duplex> | undefined;
  return typeof stream?.cork === 'function' && typeof stream.uncork === 'function' ? (stream as Duplex) : undefined;
}

/** Deadlines of calls: one timer for all that are sent in one turn, counted from when they leave. */
export interface TurnDeadlines {
  /** Calls `expire` when the deadline has passed, unless the returned function is called first. Nothing that is answered keeps the process alive. */
  add(expire: () => void): () => void;
}

/** The calls of one turn that are not answered yet. */
interface Sent {
  readonly waiting: WaitingList<() => void>;
  /** Absent until they have left. */
  cancel?: () => void;
}

/** Creates the deadlines of one connection. */
export function createTurnDeadlines(turn: Turn, deadlineMs: number): TurnDeadlines {
  let current: Sent | undefined;

  function begin(): Sent {
    const sent: Sent = { waiting: createWaitingList() };
    turn.atEnd(() => {
      current = undefined;
      if (sent.waiting.isEmpty) return;
      sent.cancel = startDeadline(deadlineMs, () => {
        for (const expire of sent.waiting.takeAll()) expire();
      });
    });
    return sent;
  }

  return {
    add(expire) {
      current ??= begin();
      const sent = current;
      const leave = sent.waiting.add(expire);
      return () => {
        leave();
        if (sent.waiting.isEmpty) sent.cancel?.();
      };
    },
  };
}
