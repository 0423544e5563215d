import { IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Request, Response } from 'express';

/** Express answers these from what is in the key. */
export const KEYED_GETTERS = ['protocol', 'secure', 'hostname', 'host', 'subdomains'] as const;

/** Properties of every request, and those that hold nothing of it but what is in the key. */
const OWN_TO_REQUESTS = new Set([
  ...Object.getOwnPropertyNames(new IncomingMessage(new Socket())),
  ...Object.getOwnPropertyNames(IncomingMessage.prototype),
  ...KEYED_GETTERS,
  'ip',
  'ips',
  'originalUrl',
  'baseUrl',
  'params',
  'query',
  'body',
  'route',
  'app',
  'res',
  'next',
  'log',
  'id',
  // Of widespread middleware, about time, URL and body.
  '_parsedUrl',
  '_parsedOriginalUrl',
  '_startAt',
  '_startTime',
  '_body',
  '__onFinished',
]);

/** Properties of every response. */
const OWN_TO_RESPONSES = new Set([
  ...Object.getOwnPropertyNames(new ServerResponse(new IncomingMessage(new Socket()))),
  ...Object.getOwnPropertyNames(ServerResponse.prototype),
  ...Object.getOwnPropertyNames(OutgoingMessage.prototype),
  'locals',
  'req',
  'cache',
  'log',
]);

/** What earlier middleware has put on a request. Not under symbols: routers and Node keep things of their own there. */
export function namesOn(req: Request): string[] {
  const names = namesOf(req, Object.getOwnPropertyNames);
  return names.filter((name) => !OWN_TO_REQUESTS.has(name));
}

/** Some middleware passes on an object that inherits from its request, where that has put its own. */
function namesOf(req: object, namesIn: (object: object) => string[]): string[] {
  const names = namesIn(req);
  if (Object.hasOwn(req, '_readableState')) return names; // What Node has made, and not an heir of that.
  const parent = Object.getPrototypeOf(req) as object | null;
  return parent === null || Object.hasOwn(parent, 'constructor') ? names : [...names, ...namesOf(parent, namesIn)];
}

/** Values that earlier middleware has put on a response. Its functions there send, and what begins so is for middleware and Node alone. */
export function valuesOn(res: Response): string[] {
  return Object.keys(res).filter(
    (name) => !OWN_TO_RESPONSES.has(name) && !name.startsWith('_') && typeof Reflect.get(res, name) !== 'function',
  );
}

/**
 * The names of what earlier middleware has put on a request, on its response and on `res.locals`. A handler may look for what is not there, and that cannot be seen: its response is good
 * for requests with nothing more than its own had.
 */
export function shapeOf(req: Request, res: Response): string[] {
  // Every hit asks: what is listed costs a thirtieth of what is there.
  const names = namesOf(req, Object.keys).filter((name) => !OWN_TO_REQUESTS.has(name));
  // Seldom listed.
  for (const name of KEYED_GETTERS) if (Object.hasOwn(req, name)) names.push(name);
  for (const name of valuesOn(res)) names.push(`res.${name}`);
  const locals = res.locals as object | undefined;
  if (locals !== undefined) for (const name of Object.keys(locals)) names.push(`locals.${name}`);
  return names;
}

/** Whether a request has nothing that the one a response was made for had not. */
export function fitsShape(req: Request, res: Response, shape: readonly string[] = []): boolean {
  return shapeOf(req, res).every((name) => shape.includes(name));
}
