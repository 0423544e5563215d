import type { RedisError } from '../core/errors.ts';
import { noFallback } from '../redis/guard.ts';
import type { Connection } from '../redis/connection.ts';
import { blockClient } from './block-client.lua.ts';
import { breaksOf } from './broken-connections.ts';
import { decideLimits } from './decide-limits.lua.ts';
import type { Receipt } from './policy.ts';
import { refundLimits } from './refund-limits.lua.ts';
import { renewLease } from './renew-lease.lua.ts';
import { type Decision, isCounted, type LimitCall, type LimitStore } from './store.ts';

const STATUS = ['refused', 'admitted', 'banned', 'banned'] as const;
const NEW_BAN = 3;

/** Keeps what clients have used in Redis: one script call and one round trip per decision. Every method rejects with a `RedisError` at the deadline. */
export function createRedisStore({ client, guard }: Connection): LimitStore {
  const breaks = breaksOf(client);

  function send(call: LimitCall): Promise<Decision> {
    const { mode, id, conduct, names, policies, countRefused, ban } = call;
    const args = {
      mode,
      id,
      countRefused: countRefused ? 1 : 0,
      banAfter: ban.after,
      banWithin: ban.withinUs,
      banDuration: ban.durationUs,
      banMax: ban.maxDurationUs,
    };
    const given = policies.flatMap(({ algorithm, limit, windowUs, cost, detail }) => [
      algorithm,
      limit,
      windowUs,
      cost,
      detail,
    ]);
    return decideLimits(client, { conduct, names }, args, given).then((reply) => toDecision(reply as number[]));
  }

  async function takeBack({ names, policies }: Pick<LimitCall, 'names' | 'policies'>, { atUs, id }: Receipt) {
    const given = policies.flatMap(({ algorithm, limit, windowUs, cost }) => [algorithm, limit, windowUs, cost]);
    await refundLimits(client, { names }, { at: atUs, id }, given);
  }

  return {
    /** A decision nobody waited for is taken back when its answer arrives: the request was answered, and counted, elsewhere. */
    async decide(call) {
      let isAbandoned = false;
      function abandon(error: RedisError): never {
        isAbandoned = true;
        throw error;
      }
      async function settled(): Promise<Decision> {
        const decision = await send(call);
        if (isAbandoned && isCounted(call, decision)) {
          // Past the guard, whose circuit is open still: Redis has just answered.
          takeBack(call, { atUs: decision.nowUs, id: call.id }).catch(() => undefined);
        }
        return decision;
      }
      return guard({ operation: 'decide limit', key: call.conduct, fallback: abandon }, () =>
        breaks.race(call.conduct, settled()),
      );
    },
    async refund(call, receipt) {
      const key = call.names[0] ?? '';
      await guard({ operation: 'refund limit', key, fallback: noFallback }, () => takeBack(call, receipt));
    },
    async renew(name, id, leaseUs) {
      const reply = await guard({ operation: 'renew lease', key: name, fallback: noFallback }, () =>
        renewLease(client, { leases: name }, { id, lease: leaseUs }),
      );
      return reply === 1;
    },
    async block(conduct, durationUs) {
      await guard({ operation: 'block client', key: conduct, fallback: noFallback }, () =>
        blockClient(client, { conduct }, { duration: durationUs }),
      );
    },
    async forget(names) {
      const key = names[0] ?? '';
      await guard({ operation: 'reset limit', key, fallback: noFallback }, () => client.unlink(...names));
    },
  };
}

function toDecision(reply: readonly number[]): Decision {
  const [status = 0, nowUs = 0, clockUs = 0, bannedUntilUs = 0] = reply;
  const views = [];
  for (let i = 4; i < reply.length; i += 4) {
    const [fits, remaining = 0, retryAtUs = 0, resetAtUs = 0] = reply.slice(i, i + 4);
    views.push({ fits: fits === 1, remaining, retryAtUs, resetAtUs });
  }
  return { status: STATUS[status] ?? 'refused', nowUs, clockUs, bannedUntilUs, isNewBan: status === NEW_BAN, views };
}
