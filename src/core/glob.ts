/**
 * Whether `text` matches a pattern in Redis' glob spelling: `*` any run, `?` any one character, `\` takes the next character literally.
 * Runs in O(pattern x text) at worst, so a pattern cannot stall the process as a regular expression can.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (t < text.length) {
    const escaped = pattern[p] === '\\' && p + 1 < pattern.length;
    const wanted = escaped ? pattern[p + 1] : pattern[p];
    if (!escaped && wanted === '*') {
      starAt = p++;
      resumeAt = t;
    } else if (p < pattern.length && ((!escaped && wanted === '?') || wanted === text[t])) {
      p += escaped ? 2 : 1;
      t++;
    } else if (starAt >= 0) {
      p = starAt + 1; // Let the last star take one character more.
      t = ++resumeAt;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p >= pattern.length;
}
