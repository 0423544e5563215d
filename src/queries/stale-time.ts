/** What of `fetch`'s Response, or of its Headers, is used. */
type ResponseHeaders = { get(name: string): string | null };

/**
 * Milliseconds for which a response is still fresh: `staleTime` of a TanStack query that fetched it. From `Cache-Control: max-age` less its age, else from `Expires`; 0 where HTTP would
 * ask again. For browsers and Node; needs nothing else of this package. Across origins `Age` and `Date` are seen only where `Access-Control-Expose-Headers` names them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9111#section-4.2
 */
export function staleTimeOf(response: { readonly headers: ResponseHeaders } | ResponseHeaders): number {
  const headers = 'headers' in response ? response.headers : response;
  const directives = directivesOf(headers.get('cache-control') ?? '');
  if (directives.has('no-store') || directives.has('no-cache')) return 0;
  const lifetimeMs = directives.has('max-age') ? secondsOf(directives.get('max-age')) * 1_000 : untilExpiry(headers);
  return Math.max(0, lifetimeMs - ageMs(headers));
}

/** The first of each name counts. Quoted arguments may hold commas. */
function directivesOf(field: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', argument = ''] of field.matchAll(/([^\s,=;"]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,]*))?/g)) {
    if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), argument.replaceAll('"', ''));
  }
  return found;
}

/** What is no number of seconds is none. */
function secondsOf(text: string | null | undefined): number {
  return /^\d+$/.test(text ?? '') ? Math.min(Number(text), 2 ** 31) : 0;
}

function untilExpiry(headers: ResponseHeaders): number {
  const expires = Date.parse(headers.get('expires') ?? '');
  const date = dateOf(headers) ?? Date.now();
  return Number.isNaN(expires) ? 0 : expires - date;
}

/** Said by caches on the way, or seen from its date: the browser's own cache changes no header. */
function ageMs(headers: ResponseHeaders): number {
  const apparent = Date.now() - (dateOf(headers) ?? Date.now());
  return Math.max(0, apparent, secondsOf(headers.get('age')) * 1_000);
}

function dateOf(headers: ResponseHeaders): number | undefined {
  const date = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(date) ? undefined : date;
}
