// One contestant in its own process: node bench/server.mjs <contestant> <body bytes> [redis port]. Answers questions of the runner over IPC.
import { createServer } from 'node:http';
import { Session } from 'node:inspector/promises';
import { writeFileSync } from 'node:fs';
import { createApp } from './contestants.mjs';

const [name, size, redisPort] = process.argv.slice(2);
const { app, runs } = await createApp(name, Number(size), Number(redisPort));
const server = createServer(app);
server.keepAliveTimeout = 120_000; // Connections rest while others have their turn.
const profiler = new Session();

const answers = {
  usage: () => ({ cpu: process.cpuUsage(), handlerRuns: runs.count, rss: process.memoryUsage.rss() }),
  startProfile: async () => {
    profiler.connect();
    await profiler.post('Profiler.enable');
    await profiler.post('Profiler.setSamplingInterval', { interval: 200 });
    await profiler.post('Profiler.start');
  },
  stopProfile: async ({ file }) => {
    const { profile } = await profiler.post('Profiler.stop');
    profiler.disconnect();
    writeFileSync(file, JSON.stringify(profile));
  },
};

async function reply({ id, ask, ...details }) {
  process.send({ id, answer: await answers[ask](details) });
}

process.on('message', (message) => void reply(message));
process.on('disconnect', () => process.exit()); // The runner is gone.
server.listen(0, '127.0.0.1', () => process.send({ ready: { port: server.address().port, node: process.version } }));
