/**
 * Sessions on WebSockets: who has none is refused, and who logs out, here or anywhere, is cut off.
 *
 * It speaks the little of RFC 6455 that it needs. With ws: `wss.handleUpgrade` where `welcome` is called below, and `ws.close(4401)` in `onEnd`. With Socket.IO:
 *
 *   io.use(async (socket, next) => {
 *     const session = await suite.sessions.fromRequest(socket.request).catch(() => undefined);
 *     if (session?.userId === undefined) return next(new Error('Log in first.'));
 *     socket.once('disconnect', session.onEnd(() => socket.disconnect(true)));
 *     next();
 *   });
 *
 *   npx tsx examples/sessions-sockets.ts
 *   curl -c jar -X POST localhost:3000/login/anna
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const secret = process.env['SESSION_SECRET'] ?? randomBytes(32).toString('base64');

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'sockets', deadline: '1s', session: { secret } });
const app = express();
app.use(suite.session());

app.post('/login/:user', async (req, res) => {
  await suite.sessions.login(req, req.params.user);
  res.json({ user: req.params.user });
});

app.post('/logout', async (req, res) => {
  await suite.sessions.logout(req);
  res.json({ user: null });
});

const server = createServer(app);
const sockets = new Set<Duplex>();

server.on('upgrade', (req, socket: Duplex) => {
  socket.on('error', () => socket.destroy());
  suite.sessions.fromRequest(req).then(
    (session) => {
      if (session?.userId === undefined) {
        refuse(socket, '401 Unauthorized');
        return;
      }
      welcome(socket, req.headers['sec-websocket-key'] ?? '', `Hello ${session.userId}`);
      const stopWatching = session.onEnd(() => socket.end(frame(0x8, Buffer.from([0x0f, 0xa1])))); // Close, 4001.
      socket.once('close', stopWatching);
    },
    () => refuse(socket, '503 Service Unavailable'),
  );
});

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function welcome(socket: Duplex, key: string, text: string): void {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
  socket.write(`${upgrade}Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.write(frame(0x1, Buffer.from(text)));
  socket.resume(); // What clients say is of no interest here.
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

/** A whole frame of up to 125 bytes. */
function frame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, payload.length]), payload]);
}

server.listen(Number(process.env['PORT'] ?? 3000), () => {
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/`);
});

async function stop(): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  await suite.close();
  redis?.disconnect();
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
