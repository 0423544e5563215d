import { describe, expect, it } from '@jest/globals';
import { createTurn } from '../../src/redis/turn.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';

describe('a turn of the event loop', () => {
  it('sends its commands in the order they were made: the first of many do not wait for the last, and tasks at its end come after all', async () => {
    const client = testRedis();
    await client.ping();
    const { stream } = client;
    const { uncork } = stream;
    const sentAt: number[] = []; // How many commands had been made when something left.
    let made = 0;
    stream.uncork = () => {
      sentAt.push(made);
      return uncork.call(stream);
    };
    const turn = createTurn(client);
    const list = uniquePrefix();
    const replies: Promise<unknown>[] = [];
    turn.atEnd(() => replies.push(client.lrange(list, 0, -1), client.unlink(list)));
    for (; made < 40; made++) {
      turn.begin();
      replies.push(client.rpush(list, made));
    }
    expect(sentAt).toEqual([16, 32]);
    expect(await replies[39]).toBe(40);
    expect(sentAt).toEqual([16, 32, 40]);
    expect(await replies[40]).toEqual(Array.from({ length: 40 }, (_, i) => String(i)));
  });

  it('ends with what its tasks send and add: none of it waits for another turn', async () => {
    const client = testRedis();
    await client.ping();
    const turn = createTurn(client);
    const steps: string[] = [];
    const { stream } = client;
    const { uncork } = stream;
    stream.uncork = () => {
      uncork.call(stream);
      if (stream.writableCorked === 0) steps.push('left');
    };
    turn.begin();
    const first = client.ping();
    turn.atEnd(() => {
      turn.begin();
      void client.ping();
      turn.atEnd(() => steps.push('added'));
      steps.push('sent');
    });
    setImmediate(() => steps.push('next turn'));
    await first;
    expect(steps).toEqual(['sent', 'added', 'left', 'next turn']);
  });

  it('keeps word of its latest command while that is held back, and nothing was sent behind it', async () => {
    const client = testRedis();
    await client.ping();
    const turn = createTurn(client);
    const [word, other] = [{}, {}];
    turn.begin();
    turn.note(word);
    expect(turn.latest).toBe(word);
    turn.begin();
    expect(turn.latest).toBeUndefined();
    turn.note(other);
    expect(turn.latest).toBe(other);
    await new Promise(setImmediate);
    expect(turn.latest).toBeUndefined();
    turn.note(word);
    expect(turn.latest).toBeUndefined(); // Nothing is held back.
    turn.begin();
    expect(turn.latest).toBeUndefined();
  });

  it('holds nothing back on a socket that has taken the place of its own', async () => {
    const [client, other] = [testRedis(), testRedis()];
    await Promise.all([client.ping(), other.ping()]);
    const turn = createTurn(client);
    const { stream } = client;
    turn.begin();
    turn.note({});
    Object.assign(client, { stream: other.stream });
    expect(turn.latest).toBeUndefined();
    Object.assign(client, { stream });
    await new Promise(setImmediate);
  });

  it('sends at once what others wait for, but only once', async () => {
    const client = testRedis();
    await client.ping();
    const turn = createTurn(client);
    const { stream } = client;
    const held = (): number => stream.writableLength;
    turn.begin();
    const replies = [client.ping()];
    turn.note({});
    expect(held()).toBeGreaterThan(0);
    turn.hurry();
    expect([held(), turn.latest]).toEqual([0, undefined]);
    turn.begin();
    replies.push(client.ping());
    turn.hurry();
    expect(held()).toBeGreaterThan(0);
    expect(await Promise.all(replies)).toEqual(['PONG', 'PONG']);
    turn.begin();
    replies.push(client.ping());
    turn.hurry(); // Another turn.
    expect(held()).toBe(0);
    await replies[2];
  });
});
