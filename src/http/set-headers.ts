import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

type HeaderValue = string | number | readonly string[];
/** What `writeHead` takes. */
export type HeadersArgument = OutgoingHttpHeaders | readonly HeaderValue[] | undefined;

/** Sets on a response what `writeHead` was given, so that it can be seen and changed before it leaves. */
export function setHeaders(res: ServerResponse, headers: HeadersArgument): void {
  if (headers === undefined) return;
  const given: readonly (readonly [string, HeaderValue | undefined])[] = Array.isArray(headers)
    ? pairsOf(headers as readonly HeaderValue[])
    : Object.entries(headers);
  const byName = new Map<string, { name: string; values: string[] }>();
  for (const [name, value] of given) {
    if (value === undefined) continue;
    const known = byName.get(name.toLowerCase()) ?? { name, values: [] };
    known.values.push(...(Array.isArray(value) ? value.map(String) : [String(value)]));
    byName.set(name.toLowerCase(), known);
  }
  for (const { name, values } of byName.values()) {
    res.setHeader(name, values.length === 1 ? (values[0] ?? '') : values);
  }
}

/** A list of headers is flat (`[name, value, name, value]`) or one of pairs. */
function pairsOf(list: readonly HeaderValue[]): (readonly [string, HeaderValue | undefined])[] {
  if (Array.isArray(list[0])) return list as unknown as [string, HeaderValue][];
  return Array.from({ length: Math.floor(list.length / 2) }, (_, i) => [String(list[2 * i]), list[2 * i + 1]]);
}
