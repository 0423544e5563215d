import type { RedisError } from '../core/errors.ts';
import type { RedisClient } from '../redis/client.ts';
import type { Connection } from '../redis/connection.ts';
import { noFallback } from '../redis/guard.ts';
import { blockClient } from './block-client.lua.ts';
import { breaksOf } from './broken-connections.ts';
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
export function createRedisStore({ client, guard }: Connection): LimitStore {
  const breaks = breaksOf(client);

  async function takeBack({ names, policies }: Pick<LimitCall, 'names' | 'policies'>, { atUs, id }: Receipt) {
    const given = policies.flatMap(({ algorithm, limit, windowUs, cost }) => [algorithm, limit, windowUs, cost]);
    await refundLimits(client, { names }, { at: atUs, id }, given);
  }

  /** Fails with its connection. What is answered later than that, or than `isAbandoned`, was counted by somebody else: it is taken back. */
  function decideWhileConnected(call: LimitCall, isAbandoned: () => boolean): Promise<Decision> {
    return new Promise((resolve, reject) => {
      let hasBroken = false;
      const unwatch = breaks.watch(call.conduct, (error) => {
        hasBroken = true;
        reject(error);
      });
      send(client, call).then(
        (reply) => {
          unwatch();
          const decision = toDecision(reply as Buffer);
          resolve(decision);
          if ((hasBroken || isAbandoned()) && isCounted(call, decision)) {
            // Past the guard, whose circuit is open still: Redis has just answered.
            takeBack(call, { atUs: decision.nowUs, id: call.id }).catch(() => undefined);
          }
        },
        (error: unknown) => {
          unwatch();
          reject(error);
        },
      );
    });
  }

  return {
    decide(call) {
      let isAbandoned = false;
      function abandon(error: RedisError): never {
        isAbandoned = true;
        throw error;
      }
      return guard({ event: 'limit:error', operation: 'decide limit', key: call.conduct, fallback: abandon }, () =>
        decideWhileConnected(call, () => isAbandoned),
      );
    },
    async refund(call, receipt) {
      const key = call.names[0] ?? '';
      await guard({ event: 'limit:error', operation: 'refund limit', key, fallback: noFallback }, () =>
        takeBack(call, receipt),
      );
    },
    async renew(name, id, leaseUs) {
      const reply = await guard(
        { event: 'limit:error', operation: 'renew lease', key: name, fallback: noFallback },
        () => renewLease(client, { leases: name }, { id, lease: leaseUs }),
      );
      return reply === 1;
    },
    async block(conduct, durationUs) {
      await guard({ event: 'limit:error', operation: 'block client', key: conduct, fallback: noFallback }, () =>
        blockClient(client, { conduct }, { duration: durationUs }),
      );
    },
    async forget(names) {
      const key = names[0] ?? '';
      await guard({ event: 'limit:error', operation: 'reset limit', key, fallback: noFallback }, () =>
        client.unlink(...names),
      );
    },
  };
}

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
