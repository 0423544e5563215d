// The load generator in its own process. Two ways to load a contestant: autocannon for a while, and slices of a tenth of a second over
// connections that stay open, so that contestants can take turns faster than the machine changes its speed.
import autocannon from 'autocannon';
import PendingRequests from 'autocannon/lib/pipelinedRequestsQueue.js';
import { ids, pathOf } from './payload.mjs';
import { openConnections } from './slices.mjs';

// autocannon turns every body into a string, which at 100 KB costs more than the servers' work. Its bytes are counted before, elsewhere.
PendingRequests.prototype.addBody = () => undefined;

const opened = new Map();

const jobs = {
  open: async ({ name, ofClients = false, ...options }) => {
    const fieldsOf = ofClients ? (i) => `X-Forwarded-For: 203.0.${i % 4}.${i % 250}\r\n` : undefined;
    opened.set(name, await openConnections({ ...options, fieldsOf }));
  },
  slice: ({ name, ms }) => opened.get(name).slice(ms),
  close: () => {
    for (const connections of opened.values()) connections.close();
    opened.clear();
  },
  autocannon: runAutocannon,
};

/** Connections start at different URLs, so that they do not ask for the same key in step. */
function spreadOver(connections) {
  const requests = ids.map((id) => ({ path: pathOf(id) }));
  let next = 0;
  return (client) => {
    const offset = Math.floor((next++ * requests.length) / connections);
    client.setRequests([...requests.slice(offset), ...requests.slice(0, offset)]);
  };
}

async function runAutocannon({ port, connections, seconds }) {
  let firstAt = 0;
  const job = autocannon({
    url: `http://127.0.0.1:${port}`,
    connections,
    duration: seconds,
    sampleInt: 100,
    setupClient: spreadOver(connections),
  });
  job.once('response', () => {
    firstAt = performance.now(); // Building the requests of all connections comes before it and is no work of the server.
  });
  const result = await job;
  return {
    perSecond: Math.round(result['2xx'] / ((performance.now() - firstAt) / 1000)),
    failed: result.non2xx + result.errors + result.timeouts,
    p50: result.latency.p50,
    p99: result.latency.p99,
  };
}

async function reply({ id, job, ...details }) {
  process.send({ id, answer: await jobs[job](details) });
}

process.on('message', (message) => void reply(message));
process.on('disconnect', () => process.exit());
process.send({ ready: {} });
