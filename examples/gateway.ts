/**
 * A caching gateway in front of any origin, by the book (RFC 9111), in Redis where REDIS_URL is set.
 *
 *   npx tsx examples/gateway.ts https://example.org 8080
 *   curl -i localhost:8080/
 */
import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import express, { type Request, type RequestHandler } from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const [, , origin = 'http://127.0.0.1:8000', port = '8080'] = process.argv;
const target = new URL(origin);
const client = target.protocol === 'https:' ? https : http;
const agent = new client.Agent({ keepAlive: true });
const redis = process.env['REDIS_URL'] === undefined ? undefined : createRedis();
const suite = createSuite({ ...(redis === undefined ? { backend: 'memory' } : { redis }), prefix: 'gateway' });

/** Fields of one connection (RFC 9110 §7.6.1): they are not passed on. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
];
HOP_BY_HOP.push('proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade');

/** Header lines as they came, each in its own spelling. */
function passedOn({ headers, rawHeaders }: IncomingMessage): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').toLowerCase().split(/\s*,\s*/);
  const dropped = new Set([...HOP_BY_HOP, ...named]);
  const passed: Record<string, string[]> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2);
    if (!dropped.has(name.toLowerCase())) (passed[name] ??= []).push(value);
  }
  return passed;
}

function ask(req: Request): ClientRequest {
  const sent = Object.entries(req.headers).filter(([name]) => !HOP_BY_HOP.includes(name));
  const headers = { ...Object.fromEntries(sent), host: target.host, via: '1.1 gateway' };
  const { method, originalUrl: path } = req;
  const { hostname, port: targetPort, protocol } = target;
  return client.request({ protocol, hostname, port: targetPort, path, method, headers, agent });
}

/** Streams a request to the origin and its answer back. */
const forward: RequestHandler = (req, res) => {
  const request = ask(req);
  request.on('information', ({ statusCode, headers }) => {
    if (statusCode === 102) res.writeProcessing();
    if (statusCode === 103) res.writeEarlyHints(headers as Record<string, string>);
  });
  request.once('response', (response) => {
    res.status(response.statusCode ?? 502);
    res.statusMessage = response.statusMessage ?? '';
    for (const [name, lines] of Object.entries(passedOn(response))) res.setHeader(name, lines as string[]);
    response.on('close', () => response.complete || res.destroy()); // Cut off: never as though it were whole.
    response.pipe(res);
  });
  request.on('error', () => request.listenerCount('response') > 0 && res.status(502).end());
  res.on('close', () => res.writableFinished || request.destroy());
  req.pipe(request);
};

const app = express().disable('x-powered-by').disable('etag');
app.use(suite.cache({ policy: 'rfc9111', maxBytes: '10mb' }), forward);
const server = app.listen(Number(port), () => {
  console.log(`http://localhost:${(server.address() as AddressInfo).port} caches ${origin}`);
});
process.once('SIGTERM', () => {
  server.close().closeAllConnections();
  void suite.close().then(() => redis?.disconnect());
});
