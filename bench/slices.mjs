// Closed-loop HTTP load in short slices: every connection has one request under way while a slice lasts, and rests in between.
import { once } from 'node:events';
import { connect } from 'node:net';
import { ids, pathOf } from './payload.mjs';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
/** The requests as autocannon writes them: the Host field, which is part of a cache's key, included. `fieldsOf(i)`: more header lines of the i-th. */
function requestsTo(port, base, fieldsOf) {
  const rest = (i) => `HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: keep-alive\r\n${fieldsOf(i)}\r\n`;
  return ids.map((id, i) => Buffer.from(`GET ${base}${pathOf(id)} ${rest(i)}`));
}

/** {@link requestsTo} for connections that each begin elsewhere. */
function spread(requests, count) {
  return (i) => {
    const first = Math.floor((i * requests.length) / count);
    return { always: [...requests.slice(first), ...requests.slice(0, first)] };
  };
}

/**
 * Opens connections to one server whose answers have this status, bodies of `size` bytes where all have the same, and a head that `isRight`. `requestsOf(i)`: what the i-th connection asks in turn, by the use that a
 * slice makes of it.
 */
export async function openConnections(options) {
  const { port, connections: count, size, status = 200, fieldsOf = () => '', isRight = () => true } = options;
  const { base = '', requestsOf = spread(requestsTo(port, base, fieldsOf), count) } = options;
  const tally = { done: 0, failed: 0, running: false, isClosed: false, busy: 0, use: '', onIdle: () => undefined };
  const connections = [];
  for (let i = 0; i < count; i++) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    connections.push(createConnection(socket, tally, { size, status, isRight }, requestsOf(i)));
  }
  return {
    slice: (ms, use = 'always') => runSlice(connections, tally, ms, use),
    close: () => {
      tally.isClosed = true;
      for (const { socket } of connections) socket.destroy();
    },
  };
}

function createConnection(socket, tally, { size, status, isRight }, requests) {
  let next = 0;
  let head = null; // The beginning of an answer whose head has not ended yet.
  let missing = 0; // Bytes of the body still to come.

  const send = () => {
    const list = requests[tally.use];
    socket.write(list[next % list.length]);
    next = (next + 1) % list.length;
  };
  const finish = () => {
    tally.done++;
    if (tally.running) send();
    else if (--tally.busy === 0) tally.onIdle();
  };
  socket.once('close', () => {
    if (!tally.isClosed) throw new Error('A server closed a connection under load'); // Ends the load generator, and so the run.
  });
  socket.on('data', (chunk) => {
    if (missing > 0) {
      missing -= chunk.length;
    } else {
      const data = head === null ? chunk : Buffer.concat([head, chunk]);
      const end = data.indexOf(END_OF_HEAD);
      if (end === -1) {
        head = data;
        return;
      }
      head = null;
      const text = data.latin1Slice(0, end);
      const length = lengthIn(text);
      const hasStatus = text.startsWith(`HTTP/1.1 ${status} `) && length !== undefined;
      if (!hasStatus || (size !== undefined && length !== size) || !isRight(text)) tally.failed++;
      missing = (length ?? 0) - (data.length - end - END_OF_HEAD.length);
    }
    if (missing === 0) finish();
  });
  return { socket, send };
}

/** Length of the body. */
function lengthIn(head) {
  if (head.startsWith('HTTP/1.1 304 ')) return 0;
  const found = /\r\ncontent-length: (\d+)/i.exec(head);
  return found === null ? undefined : Number(found[1]);
}

/** Loads the server for about `ms`. `counted` answers came within `elapsedMs`; `done` includes those under way at its end, the last of which came after `doneMs`. */
async function runSlice(connections, tally, ms, use) {
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
        resolve({
          counted,
          elapsedMs,
          done: tally.done,
          doneMs: performance.now() - startedAt,
          failed: tally.failed,
          cpuUs: cpu.user + cpu.system,
        });
      tally.running = false;
    }, ms);
  });
}
