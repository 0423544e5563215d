/**
 * Decorators: a class that reads and writes says beside each method what is kept and what is outdated. The compiler compares parameters of keys with those of methods.
 *
 *   npx tsx examples/decorators.ts        Redis: REDIS_URL, else localhost:6379
 */
import { createDecorators, createRedis, createSuite, key, keys } from '../src/index.ts'; // In your program: from 'express-redis-suite'

interface User {
  readonly id: number;
  readonly name: string;
}

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'decorators' });
const { cacheable, cachePut, cacheEvict } = createDecorators(() => suite);
const k = keys({ user: key('user:{id}', { id: Number }, { ttl: '1h' }) });

class Users {
  private readonly rows = new Map([[7, { id: 7, name: 'Ada' }]]);
  queries = 0;

  @cacheable({ key: (id: number) => k.user({ id }) })
  async find(id: number): Promise<User | undefined> {
    this.queries++;
    return this.rows.get(id);
  }

  @cacheable({ name: 'users.search', ttl: '5m', tags: ['user-lists'] })
  async search(filter: { readonly name: string }, page = 1): Promise<readonly User[]> {
    this.queries++;
    return [...this.rows.values()].filter(({ name }) => name.includes(filter.name)).slice(10 * (page - 1), 10 * page);
  }

  /** What it resolves is what `find` finds from now on, and no list is right any more. */
  @cachePut({ key: (user: User) => k.user(user) })
  @cacheEvict({ tags: ['user-lists'] })
  async save(user: User): Promise<User> {
    this.rows.set(user.id, user);
    return user;
  }

  @cacheEvict({ key: (id: number) => k.user({ id }), tags: ['user-lists'] })
  async remove(id: number): Promise<void> {
    this.rows.delete(id);
  }
}

const users = new Users();
await users.remove(8); // Left by a former run.
await users.save({ id: 7, name: 'Ada' });

await Promise.all([users.search({ name: 'A' }), users.search({ name: 'A' })]); // At the same time: one query.
console.log(`Ada: ${(await users.find(7))?.name}, queries: ${users.queries}`); // What was saved is found without one.

await users.save({ id: 8, name: 'Anna' });
console.log(
  `Found: ${(await users.search({ name: 'A' })).map(({ name }) => name).join(', ')}, queries: ${users.queries}`,
);

await users.remove(8);
console.log(`Removed: ${(await users.find(8)) === undefined}, queries: ${users.queries}`);

await suite.close(); // What the suite opened.
redis?.disconnect(); // What you opened.
