/** A small HTTP client that keeps its connections open and measures each request, as a browser or load balancer would cause it. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly ms: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly method?: 'GET' | 'PUT' | 'POST';
  readonly headers?: Record<string, string>;
  /** Sent as JSON. */
  readonly json?: unknown;
}

export type Client = (path: string, ask?: Ask) => Promise<Answer>;

export function createClient(origin: string): Client {
  const agent = new Agent({ keepAlive: true });
  return (path, { method = 'GET', headers = {}, json } = {}) =>
    new Promise((resolve, reject) => {
      const startedAt = performance.now();
      const type = json === undefined ? {} : { 'Content-Type': 'application/json' };
      const outgoing = request(origin + path, { agent, method, headers: { ...headers, ...type } }, (incoming) => {
        let body = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => (body += chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const ms = performance.now() - startedAt;
          resolve({ status: incoming.statusCode ?? 0, ms, headers: incoming.headers, body });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(json === undefined ? undefined : JSON.stringify(json));
    });
}

/** What the package says about how it answered: `hit; ttl=299`, without the cache's own name in front. */
export function cacheStatus(answer: Answer): string {
  const value = answer.headers['cache-status'];
  return value === undefined ? '' : String(value).replace(/^express-redis-suite;\s*/, '');
}
