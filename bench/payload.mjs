// What the benchmark serves: one JSON document per URL, of an exact length in bytes, so that every contestant moves the same bytes.
import { createHash } from 'node:crypto';

/** Sizes the benchmark knows by name. */
export const SIZES = { '300B': 300, '5KB': 5 * 1024, '100KB': 100 * 1024 };

/** Distinct URLs. Enough that no single key, string or map entry stays hot by accident; few enough that 100 KB bodies fit the default memory bound. */
export const URL_COUNT = 300;

const CONTENT_TYPE = 'application/json; charset=utf-8';
export const CACHE_CONTROL = 'public, max-age=3600';

/** All ids have the same width: bodies of one size are then equally long. */
export const ids = Array.from({ length: URL_COUNT }, (_, i) => `i${String(i).padStart(4, '0')}`);

export const pathOf = (id) => `/items/${id}`;

function variantOf(id, i) {
  return {
    sku: `${id}-${String(i).padStart(4, '0')}`,
    price: 1000 + ((i * 37) % 9000),
    stock: 100 + ((i * 7) % 900),
    colour: i % 2 === 0 ? 'blue' : 'grey',
    available: i % 3 !== 0 ? 1 : 0,
  };
}

function build(id, variantCount, note) {
  const variants = [];
  for (let i = 0; i < variantCount; i++) variants.push(variantOf(id, i));
  return { id, name: `Item ${id}`, currency: 'EUR', variants, note };
}

const lengthOf = (value) => Buffer.byteLength(JSON.stringify(value));

/** Returns the function that computes the document of an id: a list of product variants, `size` bytes long as JSON. */
export function itemBuilder(size) {
  const empty = lengthOf(build(ids[0], 0, ''));
  const perVariant = lengthOf(variantOf(ids[0], 0)) + 1;
  const variantCount = Math.floor((size - empty) / perVariant);
  const note = '.'.repeat(size - lengthOf(build(ids[0], variantCount, '')));
  return (id) => build(id, variantCount, note);
}

/** The same document ready to send: body and the four headers every contestant sends. */
export function preparedItem(item) {
  const body = Buffer.from(JSON.stringify(item));
  const etag = `W/"${body.length.toString(16)}-${createHash('sha1').update(body).digest('base64').slice(0, 27)}"`;
  const headers = {
    'Content-Type': CONTENT_TYPE,
    'Content-Length': body.length,
    ETag: etag,
    'Cache-Control': CACHE_CONTROL,
  };
  return { body, headers };
}
