// One limited application in its own process: node bench/limit-server.mjs <contestant> <redis port> <database>
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import { countTrips } from './count-trips.mjs';
import { createLimitApp } from './limit-apps.mjs';

const [name, port, db] = process.argv.slice(2);
const redis = new Redis({ host: '127.0.0.1', port: Number(port), db: Number(db), lazyConnect: true });
await redis.connect();
const trips = countTrips(redis.stream);
const server = createServer(await createLimitApp(name, redis));
server.keepAliveTimeout = 120_000; // Connections rest while others have their turn.

process.on('message', ({ id }) => process.send({ id, answer: { cpu: process.cpuUsage(), trips: trips.count } }));
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send({ ready: { port: server.address().port } }));
