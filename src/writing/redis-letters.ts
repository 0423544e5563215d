import { discardLetter } from './discard-letter.lua.ts';
import type { RedisLogParts } from './redis-log-parts.ts';
import { reviveLetter } from './revive-letter.lua.ts';
import type { Letter, WriteLog } from './write-log.ts';

/** The dead letters of a log in Redis: a stream beside that of the partition. */
export function createRedisLetters(parts: RedisLogParts): Pick<WriteLog, 'letters' | 'revive' | 'discard'> {
  const { client, reads, ask, keysOf, withBytes, limits } = parts;
  const { collapse, maxPending } = limits;

  return {
    letters(partition, after, count) {
      const places = keysOf(partition);
      const { dead, replaceable } = places;
      return ask('read dead letters', dead, async () => {
        const found = await reads.entries(dead, after, count);
        if (found.length === 0) return [];
        const envelopes = found.map(([letter, fields]) => toEnvelope(letter, fields));
        const names = envelopes.map(({ key }) => key);
        const [records, tokens] = await Promise.all([withBytes(places, envelopes), reads.fields(replaceable, names)]);
        return envelopes.map((envelope, i) =>
          Object.assign(envelope, records[i], { isReplaced: tokens[i] !== envelope.token }),
        );
      });
    },

    async revive(partition, { letter, key, token }) {
      const { stream, pending, dead, replaceable, value } = keysOf(partition);
      const reply = await ask('revive dead letter', dead, () =>
        reviveLetter(
          client,
          { stream, pending, dead, replaceable, value: value(token) },
          { letter, key, token, collapse, maxPending },
        ),
      );
      return reply as Awaited<ReturnType<WriteLog['revive']>>;
    },

    async discard(partition, { letter, key, token }) {
      const { dead, replaceable, value } = keysOf(partition);
      const places = { dead, replaceable, value: value(token) };
      return (
        (await ask('discard dead letter', dead, () => discardLetter(client, places, { letter, key, token }))) === 1
      );
    },
  };
}

/** A letter as far as the stream knows it. */
function toEnvelope(letter: string, fields: readonly string[]): Letter {
  const named: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) named[fields[i] ?? ''] = fields[i + 1] ?? '';
  const { k: key = '', t: token = '', e: error = '', n: attempts = '0', i: id = '' } = named;
  return { letter, id, key, token, error, attempts: Number(attempts), isLost: true, isReplaced: true };
}
