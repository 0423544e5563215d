// The kinds of hits. As a program it is the server of one: node bench/hit-kinds.mjs <kind> <body bytes> <redis port>.
import { createServer } from 'node:http';
import { isMainThread } from 'node:worker_threads';
import express from 'express';
import { Redis } from 'ioredis';
import { ids, itemBuilder, pathOf } from './payload.mjs';

const none = () => '';
const LANGUAGES = ['de', 'en', 'fr', 'it', 'es'];

/** Header lines of the i-th request, the status that answers it, and the route's options. */
export const KINDS = {
  plain: { title: 'plain', status: 200, fieldsOf: none, options: {} },
  'one-variant': {
    title: 'one variant (`Vary: Accept-Language`)',
    status: 200,
    fieldsOf: () => 'Accept-Language: de\r\n',
    options: {},
    varies: true,
  },
  'five-variants': {
    title: 'five variants',
    status: 200,
    variants: 5,
    fieldsOf: (i) => `Accept-Language: ${LANGUAGES[i % 5]}\r\n`,
    options: {},
    varies: true,
  },
  'not-modified': { title: '304', status: 304, fieldsOf: () => 'If-None-Match: "v1"\r\n', options: {} },
  range: { title: '206, 1 KB of it', status: 206, fieldsOf: () => 'Range: bytes=1024-2047\r\n', options: {} },
  compressed: {
    title: 'kept compressed, client takes gzip',
    status: 200,
    fieldsOf: () => 'Accept-Encoding: gzip\r\n',
    options: { compress: '1kb' },
    isPacked: true,
  },
  unpacked: {
    title: 'kept compressed, client does not',
    status: 200,
    fieldsOf: none,
    options: { compress: '1kb' },
  },
};

if (isMainThread && process.argv[1]?.endsWith('hit-kinds.mjs')) await serve(...process.argv.slice(2));

async function serve(name, size, redisPort) {
  const { createSuite } = await import('express-redis-suite');
  const redis = new Redis({ host: '127.0.0.1', port: Number(redisPort), lazyConnect: true });
  await redis.connect();
  const suite = createSuite({ redis, prefix: `${name}:${size}` });
  const { options, varies = false } = KINDS[name];
  const itemOf = itemBuilder(Number(size));
  const app = express().disable('x-powered-by');
  let handlerRuns = 0;
  app.get('/items/:id', suite.cache({ ttl: '1h', ...options }), (req, res) => {
    handlerRuns++;
    if (varies) res.vary('Accept-Language');
    res.set('ETag', '"v1"').json(itemOf(req.params.id));
  });
  const answers = { usage: () => ({ cpu: process.cpuUsage(), handlerRuns }) };
  process.on('message', ({ id, ask }) => process.send({ id, answer: answers[ask]() }));
  process.on('disconnect', () => process.exit());
  const server = createServer(app);
  Object.assign(server, { keepAliveTimeout: 600_000, headersTimeout: 0, requestTimeout: 0 }); // Connections rest while others have their turn.
  server.listen(0, '127.0.0.1', () =>
    process.send({ ready: { port: server.address().port, urls: ids.map((id) => pathOf(id)) } }),
  );
}
