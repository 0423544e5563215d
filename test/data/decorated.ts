/**
 * Classes with decorators, one source for both kinds: imported, it has standard ones; `compiled` makes `experimentalDecorators` of it. What must not compile says so, and is compiled both ways.
 * It imports types alone, so that it can be compiled by itself.
 */
import type { Decorators } from '../../src/data/decorators.ts';

interface User {
  id: number;
  name: string;
}

export interface Database {
  readonly calls: string[];
  readonly users: Map<number, User>;
  fails: boolean;
}

export interface Users {
  find(id: number): Promise<User | undefined>;
  search(name: string, page?: number): Promise<string[]>;
  count(): Promise<number>;
  save(user: User): Promise<User>;
  rename(id: number, name: string): Promise<void>;
  remove(id: number): Promise<void>;
  reload(): Promise<void>;
}

/** A class of each kind of use. */
export function usersOf({ cacheable, cachePut, cacheEvict }: Decorators): new (tenant: string, db: Database) => Users {
  class Repository implements Users {
    private readonly tenant: string;
    private readonly db: Database;

    constructor(tenant: string, db: Database) {
      this.tenant = tenant;
      this.db = db;
    }

    keyOf(id: number): string {
      return `${this.tenant}:user:${id}`;
    }

    @cacheable({
      key(this: Repository, id: number) {
        return this.keyOf(id);
      },
      ttl: '1m',
      tags: ['users'],
    })
    async find(id: number): Promise<User | undefined> {
      this.db.calls.push(`find ${this.tenant} ${id}`);
      return this.db.users.get(id);
    }

    @cacheable({ name: 'search', ttl: 'medium', tags: ['search'] })
    async search(name: string, page = 1): Promise<string[]> {
      this.db.calls.push(`search ${name} ${page}`);
      return [...this.db.users.values()].filter((user) => user.name.includes(name)).map((user) => user.name);
    }

    @cacheable({ key: 'user-count' })
    async count(): Promise<number> {
      this.db.calls.push('count');
      return this.db.users.size;
    }

    @cachePut({
      key(this: Repository, user: User) {
        return this.keyOf(user.id);
      },
      tags: (saved: User, given: User) => [`name:${saved.name}`, `was:${given.id}`],
    })
    @cacheEvict({ key: () => 'user-count' })
    async save(user: User): Promise<User> {
      if (this.db.fails) throw new Error('The database is away.');
      this.db.users.set(user.id, user);
      return { ...user, name: user.name.trim() };
    }

    @cacheEvict({
      key(this: Repository, id: number) {
        return this.keyOf(id);
      },
      tags: (_result: void, _id: number, name: string) => ['search', `name:${name}`],
    })
    async rename(id: number, name: string): Promise<void> {
      if (this.db.fails) throw new Error('The database is away.');
      this.db.users.set(id, { id, name });
    }

    @cacheEvict({ key: (id: number) => `acme:user:${id}`, when: 'before' })
    async remove(id: number): Promise<void> {
      this.db.calls.push(`remove ${id}`);
      if (this.db.fails) throw new Error('The database is away.');
      this.db.users.delete(id);
    }

    @cacheEvict({ all: 'acme' })
    async reload(): Promise<void> {
      this.db.calls.push('reload');
    }
  }
  return Repository;
}

/** Never called: none of this may compile. */
export function mistakes({ cacheable, cachePut, cacheEvict }: Decorators): unknown {
  class Mistakes {
    readonly region = 'eu';

    // @ts-expect-error The key takes a text, the method a number.
    @cacheable({ key: (id: string) => id })
    async otherType(id: number): Promise<number> {
      return id;
    }

    // @ts-expect-error The key takes two parameters, the method one.
    @cacheable({ key: (id: number, page: number) => `${id}:${page}` })
    async tooMany(id: number): Promise<number> {
      return id;
    }

    // @ts-expect-error The second parameter may be missing.
    @cacheable({ key: (id: number, page: number) => `${id}:${page}` })
    async mayBeMissing(id: number, _page?: number): Promise<number> {
      return id;
    }

    // @ts-expect-error Its type is not written down.
    @cacheable({ key: (id) => String(id) })
    async untyped(id: number): Promise<number> {
      return id;
    }

    // @ts-expect-error One key for all arguments.
    @cacheable({ key: 'fixed' })
    async fixed(id: number): Promise<number> {
      return id;
    }

    // @ts-expect-error Nothing is waited for.
    @cacheable({ key: (id: number) => `${id}` })
    atOnce(id: number): number {
      return id;
    }

    // @ts-expect-error The tags take a text, the method resolves a number.
    @cacheable({ name: 'tags', tags: (result: string) => [result] })
    async tagsOfOther(id: number): Promise<number> {
      return id;
    }

    // @ts-expect-error The objects of this class have no tenant.
    @cacheable({
      key(this: { tenant: string }, id: number) {
        return `${this.tenant}:${id}`;
      },
    })
    async otherThis(id: number): Promise<number> {
      return id;
    }

    // @ts-expect-error The key takes a text, the method a number.
    @cachePut({ key: (id: string) => id })
    async put(id: number): Promise<number> {
      return id;
    }

    // @ts-expect-error The key takes a text, the method a number.
    @cacheEvict({ key: (id: string) => id })
    async evict(id: number): Promise<number> {
      return id;
    }

    // @ts-expect-error A key is needed.
    @cachePut({})
    async putNothing(id: number): Promise<number> {
      return id;
    }

    @cacheable({ key: (id: number) => `less:${id}` })
    async fewerParametersWillDo(id: number, _page: number): Promise<number> {
      return id;
    }

    @cacheable({ key: (id: number | string) => `wider:${id}` })
    async widerWillDo(id: number): Promise<number> {
      return id;
    }

    @cacheable({ name: 'static' })
    static async staticWillDo(id: number): Promise<number> {
      return id;
    }
  }
  // @ts-expect-error There is no such option.
  cacheable({ name: 'x', timeToLive: '1h' });
  return Mistakes;
}
