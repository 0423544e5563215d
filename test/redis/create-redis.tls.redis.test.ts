import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CreateRedisOptions, createRedis, createSuite } from '../../src/index.ts';
import { closedLater } from '../support/connections.ts';
import { collectingLogger, eventually } from '../support/outages.ts';
import { type RedisProcess, reservePort, startRedis } from '../support/redis-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'redis-tls-'));
const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
let server: RedisProcess;
let url: string;

/** A certificate for localhost that vouches for itself. */
function makeCertificate(): void {
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  execFileSync('openssl', ['req', ...kind, ...names, '-keyout', key, '-out', certificate], { stdio: 'pipe' });
}

beforeAll(async () => {
  makeCertificate();
  const port = await reservePort();
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
  server = await startRedis(['--tls-port', String(port), '--tls-auth-clients', 'no', ...files]);
  url = `rediss://localhost:${port}`;
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

function create(options: CreateRedisOptions): NonNullable<ReturnType<typeof createRedis>> {
  const client = createRedis({ preset: 'production', logger: collectingLogger(), ...options });
  if (client === undefined) throw new Error('unreachable: there is an address');
  return closedLater(client);
}

describe('createRedis over TLS', () => {
  it('serves a whole suite from a server whose certificate is vouched for', async () => {
    const redis = create({ url, tls: { ca: readFileSync(certificate) } });
    const suite = createSuite({ redis, prefix: 'tls', deadline: '2s' });
    await eventually('a connection', async () => (await suite.data.set('k', 1, { tags: ['t'] })) || undefined);
    expect(await suite.data.get('k')).toBe(1);
    await suite.invalidate(['t']);
    expect(await suite.data.get('k')).toBeUndefined();
    expect(await redis.info('clients')).toContain('connected_clients');
    await suite.close();
  });

  it.each<[string, () => CreateRedisOptions, RegExp]>([
    ['certificate that nobody vouches for', () => ({}), /self-signed certificate/],
    [
      'name that is not in the certificate',
      () => ({ tls: { ca: readFileSync(certificate), servername: 'other.test' } }),
      /altnames/,
    ],
  ])('trusts no server with a %s', async (_what, options, why) => {
    const logger = collectingLogger();
    const redis = create({ url, logger, ...options() });
    const reasons: string[] = [];
    redis.on('error', (error: Error) => reasons.push(error.message));
    await eventually('a refusal', () => reasons[0]);
    expect(reasons[0]).toMatch(why);
    expect(redis.status).not.toBe('ready');
    // Between attempts: ioredis hears only the first error of a connection, and one that is ended in its handshake has a second.
    await eventually('a pause', () => redis.status === 'reconnecting' || undefined);
    redis.disconnect();
  });
});
