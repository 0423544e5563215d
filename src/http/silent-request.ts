import { AsyncLocalStorage } from 'node:async_hooks';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** What AsyncLocalStorage carries belongs to the request that is there: another begins outside of it. */
const outside = AsyncLocalStorage.snapshot();

/** What is called for each request. */
export type Entrance = (request: IncomingMessage, response: ServerResponse) => void;

/** A request that has no client. */
export interface SilentRequest {
  readonly enter: Entrance;
  readonly socket: Socket;
  readonly request: IncomingMessage;
  /** Given up after so long. */
  readonly maxMs: number;
}

/** Sends a request that has no client. Resolves with its response when that is finished, or given up. */
export function sendSilently(sending: SilentRequest): Promise<ServerResponse> {
  return outside(() => send(sending));
}

function send({ enter, socket, request, maxMs }: SilentRequest): Promise<ServerResponse> {
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), maxMs).unref();
    response.once('finish', () => {
      request.resume(); // What nobody has read ends only so, as after every request.
      socket.destroy();
    });
    socket.once('close', () => {
      clearTimeout(timer);
      if (!response.writableFinished) request.destroy();
      resolve(response);
    });
    try {
      enter(request, response);
    } catch {
      socket.destroy();
    }
  });
}

/** What a connection says of itself. */
type ConnectionFacts = Pick<Socket, 'remoteAddress' | 'remotePort' | 'remoteFamily' | 'localAddress' | 'localPort'> & {
  readonly encrypted?: boolean;
};

/** A connection to nobody: it takes everything and brings nothing, and says of itself what it is told. */
export function silentSocket(original: Partial<ConnectionFacts>): Socket {
  const socket = new Duplex({
    // Never full: who waits for `drain` is told by a server, and there is none.
    writableHighWaterMark: Number.MAX_SAFE_INTEGER,
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
  });
  socket.on('error', () => undefined);
  const same = (): Duplex => socket;
  Object.assign(socket, {
    remoteAddress: original.remoteAddress,
    remotePort: original.remotePort,
    remoteFamily: original.remoteFamily,
    localAddress: original.localAddress,
    localPort: original.localPort,
    encrypted: original.encrypted,
    setTimeout: same,
    setNoDelay: same,
    setKeepAlive: same,
    ref: same,
    unref: same,
    address: () => ({}),
  });
  return socket as unknown as Socket;
}
