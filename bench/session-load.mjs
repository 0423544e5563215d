// The load generator of the session benchmark in its own process: every connection is a browser with a session of its own, and has one request under way while a slice lasts.
import { once } from 'node:events';
import { connect } from 'node:net';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const BODY = '{"ok":true}';
const opened = new Map();

const jobs = { open, slice, close };

async function open({ name, port, connections: count, uses }) {
  const tally = { done: 0, failed: 0, running: false, isClosed: false, busy: 0, use: '', onIdle: () => undefined };
  const connections = [];
  for (let i = 0; i < count; i++) {
    const cookie = await beginSession(port);
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    connections.push(createConnection(socket, tally, requestsOf(port, cookie, uses)));
  }
  opened.set(name, { connections, tally });
}

async function beginSession(port) {
  const response = await fetch(`http://127.0.0.1:${port}/begin`);
  await response.arrayBuffer();
  return response.headers.getSetCookie()[0]?.split(';')[0];
}

function requestsOf(port, cookie, uses) {
  const field = cookie === undefined ? '' : `Cookie: ${cookie}\r\n`;
  const textOf = (use) => `GET /${use} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${field}Connection: keep-alive\r\n\r\n`;
  return Object.fromEntries(uses.map((use) => [use, Buffer.from(textOf(use))]));
}

function createConnection(socket, tally, requests) {
  let received = Buffer.alloc(0); // An answer that has not ended yet.

  const send = () => socket.write(requests[tally.use]);
  const finish = () => {
    tally.done++;
    if (tally.running) send();
    else if (--tally.busy === 0) tally.onIdle();
  };
  socket.once('close', () => {
    if (!tally.isClosed) throw new Error('A server closed a connection under load'); // Ends the load generator, and so the run.
  });
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const end = received.indexOf(END_OF_HEAD);
    if (end === -1 || received.length < end + END_OF_HEAD.length + BODY.length) return;
    if (!isRight(received.latin1Slice(0, end), received.latin1Slice(end + END_OF_HEAD.length))) tally.failed++;
    received = Buffer.alloc(0);
    finish();
  });
  return { socket, send };
}

/** Nobody gets a new session here: the one that was sent was found. */
function isRight(head, body) {
  return head.startsWith('HTTP/1.1 200 ') && !/\r\nset-cookie:/i.test(head) && body === BODY;
}

/** Loads the server for about `ms`. `counted` answers came within `elapsedMs`; `done` includes those under way at its end. */
function slice({ name, use, ms }) {
  const { connections, tally } = opened.get(name);
  Object.assign(tally, { use, done: 0, failed: 0, running: true, busy: connections.length });
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  for (const { send } of connections) send();
  return new Promise((resolve) => {
    setTimeout(() => {
      const counted = tally.done;
      const elapsedMs = performance.now() - startedAt;
      const cpu = process.cpuUsage(cpuBefore);
      tally.onIdle = () =>
        resolve({ counted, elapsedMs, done: tally.done, failed: tally.failed, cpuUs: cpu.user + cpu.system });
      tally.running = false;
    }, ms);
  });
}

function close() {
  for (const { connections, tally } of opened.values()) {
    tally.isClosed = true;
    for (const { socket } of connections) socket.destroy();
  }
  opened.clear();
}

async function reply({ id, job, ...details }) {
  process.send({ id, answer: await jobs[job](details) });
}

process.on('message', (message) => void reply(message));
process.on('disconnect', () => process.exit());
process.send({ ready: {} });
