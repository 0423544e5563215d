import { IncomingMessage } from 'node:http';
import { type Entrance, sendSilently, silentSocket } from '../http/silent-request.ts';

interface Asked {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

const USER_AGENT = 'express-redis-suite/warm';

/** Asks an application within this process, as a client on this machine would. Resolves the status. */
export async function askApp(app: Entrance, { url, headers, timeoutMs }: Asked): Promise<number> {
  const socket = silentSocket({
    remoteAddress: '127.0.0.1',
    remoteFamily: 'IPv4',
    encrypted: url.protocol === 'https:',
  });
  const request = new IncomingMessage(socket);
  const fields = Object.entries({ host: url.host, 'user-agent': USER_AGENT, ...headers });
  const sent = fields.map(([name, value]) => [name.toLowerCase(), value] as const);
  Object.assign(request, {
    method: 'GET',
    url: url.pathname + url.search,
    headers: Object.fromEntries(sent),
    rawHeaders: sent.flat(),
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    complete: true,
  });
  request.push(null);
  const response = await sendSilently({ enter: app, socket, request, maxMs: timeoutMs });
  if (!response.writableFinished) throw new Error(`${url.href} was not answered within ${timeoutMs} ms.`);
  return response.statusCode;
}

/** Asks a server. Resolves the status when all of the response has arrived. */
export async function askNetwork({ url, headers, timeoutMs }: Asked): Promise<number> {
  const response = await fetch(url, {
    headers: { 'user-agent': USER_AGENT, ...headers },
    signal: AbortSignal.timeout(timeoutMs),
  });
  await response.arrayBuffer();
  return response.status;
}
