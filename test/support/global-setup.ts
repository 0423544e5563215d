import { bundlePrograms } from './bundle-programs.ts';
import { startCluster, startRedis } from './redis-server.ts';

/**
 * One server, one Cluster (three masters, three replicas) and the bundled programs for the whole run. TEST_REDIS_URL and TEST_REDIS_CLUSTER (host:port,host:port)
 * name others, which the tests may fill with keys but never flush or stop. Workers inherit the variables.
 */
export default async function globalSetup(): Promise<void> {
  const stops = await Promise.all([shareRedis(), shareCluster(), bundlePrograms()]);
  globalThis.stopSharedServers = async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

type Stop = () => Promise<void>;

const nothing: Stop = () => Promise.resolve();

async function shareRedis(): Promise<Stop> {
  if (process.env['TEST_REDIS_URL'] !== undefined) return nothing;
  const server = await startRedis();
  process.env['TEST_REDIS_URL'] = `redis://${server.host}:${server.port}`;
  return () => server.stop();
}

async function shareCluster(): Promise<Stop> {
  if (process.env['TEST_REDIS_CLUSTER'] !== undefined) return nothing;
  const cluster = await startCluster();
  process.env['TEST_REDIS_CLUSTER'] = cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  return () => cluster.stop();
}

declare global {
  var stopSharedServers: Stop | undefined;
}
