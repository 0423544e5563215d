// Runs in the folder where packed.mjs has installed the package.
const express = require('express');
const { createSuite } = require('express-redis-suite');
const entries = require('./entries.json');

for (const entry of entries) {
  if (Object.keys(require(entry)).length === 0) throw new Error(`${entry} exports nothing`);
}

const suite = createSuite({ logger: { info() {}, warn() {} } });
const app = express();
app.get('/', suite.cache({ ttl: '1m' }), (_req, res) => {
  res.send(String(Math.random()));
});
const server = app.listen(0, () => {
  void useIt().finally(() => {
    server.closeAllConnections();
    server.close();
  });
});

async function useIt() {
  try {
    const url = `http://localhost:${server.address().port}/`;
    const first = await (await fetch(url)).text();
    const second = await fetch(url);
    if ((await second.text()) !== first) throw new Error('the second answer is not the stored one');
    if (!/\bhit\b/.test(second.headers.get('cache-status'))) throw new Error('no hit');
    await suite.close();
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
}
