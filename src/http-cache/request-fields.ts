/** Header fields that are in the key, that the cache itself answers for, or that only tell requests apart in logs. */
const HARMLESS = new Set([
  'host',
  ':authority',
  ':method',
  ':path',
  ':scheme',
  'connection',
  'content-length',
  'content-type',
  'transfer-encoding',
  'cache-control',
  'pragma',
  'if-none-match',
  'if-modified-since',
  'if-range',
  'range',
  'expect',
  'date',
  'x-request-id',
  'x-correlation-id',
  'traceparent',
  'tracestate',
]);

/** Fields that browsers send of themselves, in many values: a response that depends on one says so in `Vary`, or the route declares it. Not Origin and Referer: who reads them by name means to repeat them, or to tell askers apart. */
const ORDINARY =
  /^(?:accept(?:-.*)?|user-agent|dnt|te|via|priority|save-data|upgrade-insecure-requests|sec-(?:ch|fetch|gpc|purpose)\b.*)$/;

const CREDENTIAL =
  /auth|cookie|token|api-?key|secret|session|\bs?sid\b|jwt|credential|password|user|account|tenant|identity|principal|e-?mail|client-?(?:id|cert|dn|verify)/;

/** In which proxies pass on the address of a client. */
const ADDRESSES = new Set([
  'x-forwarded-for',
  'forwarded',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  'fly-client-ip',
]);

/** Honest clients send none of these, and handlers that pass all fields on may have someone behind them who obeys. */
const FORGED = /^x-(?:forwarded-(?:host|proto|scheme|port|prefix|server)|host|original-\w+|rewrite-\w+|.*method.*)$/;

/** Where credentials are looked for that a request does not have. */
export const USUAL_CREDENTIALS = ['x-api-key', 'x-auth-token', 'x-access-token', 'x-session-id', 'x-user-id'] as const;

/** Whether a header says nothing of a request that its key does not. */
export function isHarmless(name: string): boolean {
  return HARMLESS.has(name);
}

/** Whether a header tells who is asking, by its name. */
export function isCredential(name: string): boolean {
  return CREDENTIAL.test(name) && !ORDINARY.test(name) && !HARMLESS.has(name);
}

/** Whether a header tells from where somebody is asking. */
export function isAddress(name: string): boolean {
  return ADDRESSES.has(name);
}

/** Whether requests are told apart by a header that a handler has read. `forwarded`: it has read all there are, and passes them on perhaps. */
export function tellsApart(name: string, reading: 'named' | 'forwarded'): boolean {
  return reading === 'named' ? !ORDINARY.test(name) : isCredential(name) || FORGED.test(name);
}
