// The load generator of the session benchmark in its own process: every connection is a browser with a session of its own.
import { openConnections } from './slices.mjs';

const BODY = '{"ok":true}';
const opened = new Map();

const jobs = { open, slice, close };

async function open({ name, port, connections, uses }) {
  const cookies = [];
  for (let i = 0; i < connections; i++) cookies.push(await beginSession(port));
  const requestsOf = (i) => requestsTo(port, cookies[i], uses);
  opened.set(name, await openConnections({ port, connections, size: BODY.length, requestsOf, isRight }));
}

async function beginSession(port) {
  const response = await fetch(`http://127.0.0.1:${port}/begin`);
  await response.arrayBuffer();
  return response.headers.getSetCookie()[0]?.split(';')[0];
}

function requestsTo(port, cookie, uses) {
  const field = cookie === undefined ? '' : `Cookie: ${cookie}\r\n`;
  const textOf = (use) => `GET /${use} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${field}Connection: keep-alive\r\n\r\n`;
  return Object.fromEntries(uses.map((use) => [use, [Buffer.from(textOf(use))]]));
}

/** Nobody gets a new session here: the one that was sent was found. */
function isRight(head) {
  return !/\r\nset-cookie:/i.test(head);
}

function slice({ name, use, ms }) {
  return opened.get(name).slice(ms, use);
}

function close() {
  for (const { close: closeAll } of opened.values()) closeAll();
  opened.clear();
}

async function reply({ id, job, ...details }) {
  process.send({ id, answer: await jobs[job](details) });
}

process.on('message', (message) => void reply(message));
process.on('disconnect', () => process.exit());
process.send({ ready: {} });
