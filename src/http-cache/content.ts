import { type Entry, writingOf } from '../cache/entry.ts';
import { UNAVAILABLE } from '../cache/store.ts';
import { inTime } from '../core/deadline.ts';
import { acceptsGzip, decompressBody } from './compress.ts';
import { conditionsOf, heedsConditions, isNotModified } from './conditional.ts';
import type { Exchange } from './exchange.ts';
import type { ResponseHead } from './response-head.ts';
import { isWhole, type Stored } from './stale.ts';
import { servable } from './stored.ts';
import type { Located } from './vary.ts';

/** A stored response in the form in which this client gets it. A class, as all that hits make: see `cache/found`. */
export class Content {
  readonly head: ResponseHead;
  /** Empty where it will not be sent. With a `coding` in the head it is sent so. */
  readonly body: Buffer;
  readonly bodyBytes: number;

  constructor(head: ResponseHead, body: Buffer, bodyBytes: number = body.length) {
    this.head = head;
    this.body = body;
    this.bodyBytes = bodyBytes;
  }
}

/** Where something is stored, and until when it may be waited for. */
type Place = Pick<Located, 'address' | 'deadlineAt'>;

const NO_BODY = Buffer.alloc(0);

/** The content that answers a request, read and unpacked as far as it is needed; `undefined` when that failed. */
export function contentFor(exchange: Exchange, stored: Stored, place: Place): Content | Promise<Content | undefined> {
  const { head, entry } = stored;
  const isPacked = head.coding !== undefined && !takesCoding(exchange);
  if (!needsBody(exchange, head)) {
    const bodyBytes = isPacked ? (head.size ?? 0) : entry.bodyBytes;
    return new Content(isPacked ? unpacked(head) : head, NO_BODY, bodyBytes);
  }
  if (isWhole(entry) && !isPacked) return new Content(head, entry.body);
  return readContent(exchange, stored, place);
}

/** Bytes of a range are those of the content as it was made. */
function takesCoding({ req }: Exchange): boolean {
  return req.headers.range === undefined && acceptsGzip(req.headers);
}

function needsBody({ req }: Exchange, head: ResponseHead): boolean {
  return req.method !== 'HEAD' && !(heedsConditions(head.status) && isNotModified(conditionsOf(req.headers), head));
}

async function readContent(exchange: Exchange, stored: Stored, place: Place): Promise<Content | undefined> {
  const whole = isWhole(stored.entry) ? stored : await readWhole(exchange, place);
  // Whether what has taken its place meanwhile may be sent nobody has asked.
  if (whole === undefined || writingOf(whole.entry.bytes) !== writingOf(stored.entry.bytes)) return undefined;
  return inFormFor(exchange, whole.head, whole.entry.body);
}

/** A whole body in the form in which this client gets it; `undefined` when it is damaged. */
export async function inFormFor(exchange: Exchange, head: ResponseHead, body: Buffer): Promise<Content | undefined> {
  if (head.coding === undefined || takesCoding(exchange)) return new Content(head, body);
  const bytes = await unpack(body, head);
  return bytes && new Content(unpacked(head), bytes);
}

/** The whole of what is stored, as it may be sent to this client and stored again. */
export function wholeFor(exchange: Exchange, stored: Stored, place: Place): Stored | Promise<Stored | undefined> {
  const isInForm = stored.head.coding === undefined || takesCoding(exchange);
  return isWhole(stored.entry) && isInForm ? stored : readWholeFor(exchange, stored, place);
}

async function readWholeFor(exchange: Exchange, stored: Stored, place: Place): Promise<Stored | undefined> {
  const whole = isWhole(stored.entry) ? stored : await readWhole(exchange, place);
  const content = whole && (await inFormFor(exchange, whole.head, whole.entry.body));
  return content && { ...whole, head: content.head, entry: { ...whole.entry, ...bodyOf(content) } };
}

function bodyOf({ body, bodyBytes }: Content): Pick<Entry, 'body' | 'bodyBytes'> {
  return { body, bodyBytes };
}

/** The whole of what was read in part. */
export async function readWhole(exchange: Exchange, { address, deadlineAt }: Place): Promise<Stored | undefined> {
  const lookup = exchange.state.backend.store.read(address);
  const { found } = lookup instanceof Promise ? await inTime(deadlineAt, lookup, UNAVAILABLE) : lookup;
  return servable(exchange, found);
}

/** Damaged, it counts as not there. */
async function unpack(body: Buffer, { size = 0 }: ResponseHead): Promise<Buffer | undefined> {
  const bytes = await decompressBody(body, size).catch(() => undefined);
  return bytes?.length === size ? bytes : undefined;
}

function unpacked(head: ResponseHead): ResponseHead {
  return { ...head, coding: undefined };
}
