import { BlockList, isIP } from 'node:net';
import { ConfigError } from '../core/errors.ts';
import { canonicalAddress } from './client-address.ts';

/** Clients that are treated alike always. */
export interface ClientLists {
  /** Whether they name addresses or ranges, and not keys alone. */
  readonly hasAddresses: boolean;
  /** What the lists say of a key, or of the address it comes from; deny wins. A key that reads like an address is none to `allow` where that is told: clients may have written it. */
  find(key: string, address: string | undefined): 'allow' | 'deny' | undefined;
}

/**
 * Reads lists of keys, addresses and CIDR ranges.
 *
 * @throws {ConfigError} When one is not a list of strings, or an entry can only be a mistyped address or range.
 */
export function toClientLists(allow: readonly string[], deny: readonly string[]): ClientLists {
  const isAllowed = toList(allow, 'allow');
  const isDenied = toList(deny, 'deny');
  return {
    hasAddresses: isAllowed.hasAddresses || isDenied.hasAddresses,
    find(key, address) {
      if (isDenied.has(key, [key, address])) return 'deny';
      return isAllowed.has(key, [address ?? key]) ? 'allow' : undefined;
    },
  };
}

interface List {
  readonly hasAddresses: boolean;
  has(key: string, addresses: readonly (string | undefined)[]): boolean;
}

function toList(entries: unknown, option: string): List {
  if (!Array.isArray(entries) || !entries.every((entry) => typeof entry === 'string' && entry !== '')) {
    throw new ConfigError(`${option} must be a list of keys, IP addresses and ranges such as '10.0.0.0/8'.`);
  }
  const keys = new Set<string>();
  const ranges = new BlockList();
  for (const entry of entries as string[]) if (!addRange(ranges, entry, option)) keys.add(entry);
  const hasAddresses = ranges.rules.length > 0;
  return {
    hasAddresses,
    has: (key, addresses) => keys.has(key) || (hasAddresses && addresses.some((text) => isIn(ranges, text))),
  };
}

function isIn(ranges: BlockList, text: string | undefined): boolean {
  const address = text === undefined ? undefined : canonicalAddress(text);
  return address !== undefined && ranges.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Taken for a key, a mistyped one would deny nobody. Colons and hexadecimal digits alone say little (`a:b:c`, hardware addresses, fingerprints): only a length, `::`, or about as many groups
 * as an address has make an IPv6 address of them.
 */
const LIKE_AN_ADDRESS = [
  /^\d+\.\d*\.[\d.]*(?:\/.*)?$/,
  /^[\da-f]*:[\da-f]*:[\da-f:.]*\/\d*$/i,
  /^[\da-f:.]*::[\da-f:.]*(?:[%/].*)?$/i,
  /^(?:[\da-f]*:){6,8}[\da-f.]*(?:[%/].*)?$/i,
];

/** False for what is neither an address nor a range. */
function addRange(ranges: BlockList, entry: string, option: string): boolean {
  const [text = '', bits, more] = entry.split('/');
  const address = canonicalAddress(text);
  if (address === undefined) {
    if (LIKE_AN_ADDRESS.some((pattern) => pattern.test(entry.trim()))) throw notAnAddress(entry, option);
    return false;
  }
  const version = isIP(address);
  const length =
    Number(bits ?? (version === 6 ? 128 : 32)) - (isIP(text) === 6 && version === 4 && bits !== undefined ? 96 : 0);
  const isLength = bits === undefined || /^\d{1,3}$/.test(bits);
  if (more !== undefined || !isLength || length < 0 || length > (version === 6 ? 128 : 32)) {
    throw notAnAddress(entry, option);
  }
  ranges.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4');
  return true;
}

function notAnAddress(entry: string, option: string): ConfigError {
  return new ConfigError(
    `${option}: ${JSON.stringify(entry)} is no address and no range. Write '10.0.0.1', '10.0.0.0/8' or '2001:db8::/32'.`,
  );
}
