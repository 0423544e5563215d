// One contestant of the session benchmark in its own process: node bench/session-server.mjs <contestant> <session bytes> <redis port>
import { createServer } from 'node:http';
import { createSessionApp } from './session-contestants.mjs';

const [name, size, redisPort] = process.argv.slice(2);
const server = createServer(await createSessionApp(name, Number(size), Number(redisPort)));
server.keepAliveTimeout = 120_000; // Connections rest while others have their turn.

process.on('message', ({ id }) => process.send({ id, answer: { cpu: process.cpuUsage() } }));
process.on('disconnect', () => process.exit()); // The runner is gone.
server.listen(0, '127.0.0.1', () => process.send({ ready: { port: server.address().port } }));
