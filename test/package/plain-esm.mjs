// Runs in the folder where packed.mjs has installed the package.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import express from 'express';
import { createSuite } from 'express-redis-suite';

const entries = JSON.parse(readFileSync(new URL('./entries.json', import.meta.url), 'utf8'));
for (const entry of entries) {
  if (Object.keys(await import(entry)).length === 0) throw new Error(`${entry} exports nothing`);
}

const suite = createSuite({ logger: { info() {}, warn() {} } });
const app = express();
app.get('/', suite.cache({ ttl: '1m' }), (_req, res) => {
  res.send(String(Math.random()));
});
const server = app.listen(0);
await once(server, 'listening');
const url = `http://localhost:${server.address().port}/`;
const first = await (await fetch(url)).text();
const second = await fetch(url);
if ((await second.text()) !== first) throw new Error('the second answer is not the stored one');
if (!/\bhit\b/.test(second.headers.get('cache-status'))) throw new Error('no hit');
await suite.close();
server.closeAllConnections();
server.close();
