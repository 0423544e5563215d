import type { RedisError } from '../core/errors.ts';
import type { RedisClient } from '../redis/client.ts';
import type { Connection } from '../redis/connection.ts';
import { noFallback } from '../redis/guard.ts';
import { blockClient } from './block-client.lua.ts';
import { type Breaks, breaksOf } from './broken-connections.ts';
import { decideLimits } from './decide-limits.lua.ts';
import { packPolicy } from './packed-policy.ts';
import type { Receipt, View } from './policy.ts';
import { refundLimits } from './refund-limits.lua.ts';
import { renewLease } from './renew-lease.lua.ts';
import { takeWindow } from './take-window.lua.ts';
import { type Decision, isCounted, type LimitCall, type LimitStore } from './store.ts';

const STATUS = ['refused', 'admitted', 'banned', 'banned'] as const;
const NEW_BAN = 3;

/** Keeps what clients have used in Redis: one script call and one round trip per decision. Every method rejects with a `RedisError` at the deadline. */
export function createRedisStore(connection: Connection): LimitStore {
  const { client, guard } = connection;
  const parts = { ...connection, breaks: breaksOf(client) };

  function ask<Reply>(operation: string, key: string | undefined, send: () => Promise<Reply>): Promise<Reply> {
    return guard({ event: 'limit:error', operation, key: key ?? '', fallback: noFallback }, send);
  }

  return {
    decide: (call) => decideOnce(parts, call),
    refund: (call, receipt) => ask('refund limit', call.names[0], () => takeBack(client, call, receipt)),
    async renew(name, id, lease) {
      return (await ask('renew lease', name, () => renewLease(client, { leases: name }, { id, lease }))) === 1;
    },
    async block(conduct, duration) {
      await ask('block client', conduct, () => blockClient(client, { conduct }, { duration }));
    },
    async forget(names) {
      await ask('reset limit', names[0], () => client.unlink(...names));
    },
  };
}

interface Parts extends Connection {
  readonly breaks: Breaks;
}

/** Fails with its connection. What nobody waited for any more was counted by somebody else: when its answer comes, it is taken back. */
function decideOnce({ client, guard, breaks }: Parts, call: LimitCall): Promise<Decision> {
  let isAbandoned = false;
  function abandon(error: RedisError): never {
    isAbandoned = true;
    throw error;
  }
  const asked = { event: 'limit:error', operation: 'decide limit', key: call.conduct, fallback: abandon } as const;
  return guard(asked, (fail) => {
    const unwatch = breaks.watch(call.conduct, fail);
    function answered(reply: unknown): Decision {
      unwatch();
      const decision = toDecision(reply as Buffer);
      if (!isAbandoned || !isCounted(call, decision)) return decision;
      // Past the guard, whose circuit is open still: Redis has just answered.
      takeBack(client, call, { atUs: decision.nowUs, id: call.id }).catch(() => undefined);
      return decision;
    }
    function failed(error: unknown): never {
      unwatch();
      throw error;
    }
    return send(client, call).then(answered, failed);
  });
}

async function takeBack(client: RedisClient, { names, policies }: Admitted, { atUs, id }: Receipt): Promise<void> {
  const given = policies.flatMap(({ algorithm, limit, windowUs, cost }) => [algorithm, limit, windowUs, cost]);
  await refundLimits(client, { names }, { at: atUs, id }, given);
}

type Admitted = Pick<LimitCall, 'names' | 'policies'>;

function send(client: RedisClient, call: LimitCall): Promise<unknown> {
  const { mode, id, conduct, names, policies, countRefused, ban } = call;
  const [policy, ...more] = policies;
  const [name] = names;
  const isPlain = mode === 'take' && ban.after === 0 && !countRefused && more.length === 0;
  if (isPlain && name !== undefined && policy?.algorithm === 'sliding-window') {
    return takeWindow(client, { conduct, name }, { policy: packPolicy(policy) });
  }
  const args = {
    mode,
    id,
    countRefused: countRefused ? 1 : 0,
    banAfter: ban.after,
    banWithin: ban.withinUs,
    banDuration: ban.durationUs,
    banMax: ban.maxDurationUs,
  };
  return decideLimits(client, { conduct, names }, args, policies.map(packPolicy));
}

/** Reads the doubles that the scripts reply with. */
function toDecision(reply: Buffer): Decision {
  const status = reply.readDoubleLE(0);
  const views: View[] = [];
  for (let at = 32; at < reply.length; at += 32) {
    views.push({
      fits: reply.readDoubleLE(at) === 1,
      remaining: reply.readDoubleLE(at + 8),
      retryAtUs: reply.readDoubleLE(at + 16),
      resetAtUs: reply.readDoubleLE(at + 24),
    });
  }
  return {
    status: STATUS[status] ?? 'refused',
    nowUs: reply.readDoubleLE(8),
    clockUs: reply.readDoubleLE(16),
    bannedUntilUs: reply.readDoubleLE(24),
    isNewBan: status === NEW_BAN,
    views,
  };
}
