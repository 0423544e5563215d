import { describe, expect, it } from '@jest/globals';
import { type BackendOptions, backendOf } from '../../src/cache/backend.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { Redis } from 'ioredis';
import { closedLater, uniquePrefix } from '../support/connections.ts';

function mistakeIn(options: BackendOptions): string {
  try {
    backendOf(options);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('accepted');
}

function idleRedis(): Redis {
  return closedLater(new Redis({ lazyConnect: true }));
}

describe('the cache of a connection and prefix', () => {
  it('is shared by all who name the same, and by nobody else', () => {
    const [redis, other, prefix] = [idleRedis(), idleRedis(), uniquePrefix()];
    const backend = backendOf({ redis, prefix });
    expect(backendOf({ redis, prefix })).toBe(backend);
    expect(backendOf({ redis, prefix, maxStaleness: 0, deadline: '100ms' })).toBe(backend);
    expect(backendOf({ redis, prefix: `${prefix}2` })).not.toBe(backend);
    expect(backendOf({ redis: other, prefix })).not.toBe(backend);
    expect(backendOf({ prefix })).not.toBe(backend);
    expect(backendOf({ prefix })).toBe(backendOf({ prefix, backend: 'memory' }));
    expect([backend.kind, backendOf({ prefix }).kind]).toEqual(['redis', 'memory']);
  });

  it('refuses options that contradict what was said before', () => {
    const [redis, prefix] = [idleRedis(), uniquePrefix()];
    backendOf({ redis, prefix, maxStaleness: '50ms', deadline: 80 });
    expect(mistakeIn({ redis, prefix, maxStaleness: 0 })).toContain('maxStaleness');
    expect(mistakeIn({ redis, prefix, deadline: 81 })).toContain('deadline');
    expect(mistakeIn({ redis, prefix: `${prefix}2`, deadline: 81 })).toContain('deadline');
    expect(mistakeIn({ redis, prefix, memory: '64mb' })).toContain('memory');
    expect(mistakeIn({ redis, prefix, onUnverifiable: 'serve' })).toContain('onUnverifiable');
    backendOf({ prefix, memory: '1mb' });
    expect(mistakeIn({ prefix, memory: '2mb' })).toContain('memory');
    expect(backendOf({ redis, prefix, maxStaleness: 50, deadline: '80ms' }).kind).toBe('redis');
  });

  it('refuses what cannot be', () => {
    const redis = idleRedis();
    expect(mistakeIn({ backend: 'redis' })).toContain('createRedis()');
    expect(mistakeIn({ redis, backend: 'memory' })).toContain('exclude each other');
    expect(mistakeIn({ prefix: '' })).toContain('prefix');
    expect(mistakeIn({ prefix: 'a b' })).toContain('prefix');
    expect(mistakeIn({ redis, prefix: '{a}' })).toContain('prefix');
    expect(mistakeIn({ prefix: uniquePrefix(), memory: 0 })).toContain('memory');
    expect(mistakeIn({ redis: {} as Redis })).toContain('ioredis');
    expect(mistakeIn({ redis: closedLater(new Redis({ lazyConnect: true, keyPrefix: 'a{' })) })).toContain('keyPrefix');
  });
});
