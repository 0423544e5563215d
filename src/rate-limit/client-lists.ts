import { BlockList, isIP } from 'node:net';
import { ConfigError } from '../core/errors.ts';
import { canonicalAddress } from './client-address.ts';

/** Clients that are treated alike always. */
export interface ClientLists {
  readonly isEmpty: boolean;
  /** What the lists say of a key, or of the address it comes from; deny wins. */
  find(key: string, address: string | undefined): 'allow' | 'deny' | undefined;
}

/**
 * Reads lists of keys, addresses and CIDR ranges.
 *
 * @throws {ConfigError} When one is not a list of strings, or a range is not one.
 */
export function toClientLists(allow: readonly string[], deny: readonly string[]): ClientLists {
  const isAllowed = toList(allow, 'allow');
  const isDenied = toList(deny, 'deny');
  return {
    isEmpty: isAllowed === undefined && isDenied === undefined,
    find(key, address) {
      if (isDenied?.(key, address) === true) return 'deny';
      return isAllowed?.(key, address) === true ? 'allow' : undefined;
    },
  };
}

type Membership = (key: string, address: string | undefined) => boolean;

function toList(entries: unknown, option: string): Membership | undefined {
  if (!Array.isArray(entries) || !entries.every((entry) => typeof entry === 'string' && entry !== '')) {
    throw new ConfigError(`${option} must be a list of keys, IP addresses and ranges such as '10.0.0.0/8'.`);
  }
  if (entries.length === 0) return undefined;
  const keys = new Set<string>();
  const ranges = new BlockList();
  for (const entry of entries as string[]) if (!addRange(ranges, entry, option)) keys.add(entry);
  return (key, address) => {
    if (keys.has(key)) return true;
    return [key, address].some((text) => text !== undefined && isIn(ranges, text));
  };
}

function isIn(ranges: BlockList, text: string): boolean {
  const address = canonicalAddress(text);
  return address !== undefined && ranges.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** False for what is neither an address nor a range. */
function addRange(ranges: BlockList, entry: string, option: string): boolean {
  const [text = '', bits, more] = entry.split('/');
  const address = canonicalAddress(text);
  if (address === undefined) return false;
  const version = isIP(address);
  const length =
    Number(bits ?? (version === 6 ? 128 : 32)) - (isIP(text) === 6 && version === 4 && bits !== undefined ? 96 : 0);
  const isLength = bits === undefined || /^\d{1,3}$/.test(bits);
  if (more !== undefined || !isLength || length < 0 || length > (version === 6 ? 128 : 32)) {
    throw new ConfigError(`${option}: ${JSON.stringify(entry)} is not a range. Write '10.0.0.0/8' or '2001:db8::/32'.`);
  }
  ranges.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4');
  return true;
}
