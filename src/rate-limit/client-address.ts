import { isIP, isIPv4 } from 'node:net';

/** First six groups of addresses whose last two are an IPv4 address: mapped, and behind NAT64. */
const EMBEDDING = new Set(['0,0,0,0,0,65535', '100,65435,0,0,0,0']);

/**
 * An address in its one spelling: without zone, in lower case; an IPv4 address that is mapped into IPv6 or behind NAT64 as itself. `undefined` for what is no address.
 *
 * @see RFC 4291 §2.5.5.2, RFC 6052 §2.1
 */
export function canonicalAddress(text: string): string | undefined {
  // What nearly every server sees, that listens for both versions: no need for the full way.
  if (text.startsWith('::ffff:') && isIPv4(text.slice(7))) return text.slice(7);
  const address = text.split('%', 1)[0] ?? '';
  const version = isIP(address);
  if (version !== 6) return version === 4 ? address : undefined;
  const spelling = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const groups = groupsOf(spelling);
  if (!EMBEDDING.has(groups.slice(0, 6).join())) return spelling;
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = '', tail = ''] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}
