/** Field names of a comma-separated list, in lower case, sorted, each once. */
export function fieldNames(field: string | readonly string[] | undefined): string[] {
  if (field === undefined) return [];
  const text = typeof field === 'string' ? field : field.join(',');
  return [...new Set(text.split(',').map((name) => name.trim().toLowerCase()))]
    .filter((name) => name !== '')
    .toSorted();
}

/** RFC 9110 §5.6.2. */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+.^`|~\w-]+$/.test(text);
}
