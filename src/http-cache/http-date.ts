const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<h>\\d{2}):(?<m>\\d{2}):(?<s>\\d{2})';
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
const FORMS = [
  new RegExp(`^${DAY}, (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`, 'i'),
  new RegExp(`^${LONG_DAY}, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`, 'i'),
  new RegExp(`^${DAY} ${MONTH} (?<day>\\d{2}| \\d) ${TIME} (?<year>\\d{4})$`, 'i'),
];

/** Milliseconds of an HTTP date in one of its three forms (RFC 9110 §5.6.7), and of nothing else; in any case, as caches should take it (RFC 9111 §4.2). */
export function parseHttpDate(text: string): number | undefined {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) return toTime(parts);
  }
  return undefined;
}

function toTime(parts: Record<string, string>): number | undefined {
  const [year, day, h, m, s] = ['year', 'day', 'h', 'm', 's'].map((name) => Number(parts[name])) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const month = MONTHS.indexOf((parts['month'] ?? '').toLowerCase());
  const fullYear = parts['year']?.length === 2 ? toFullYear(year) : year;
  const date = new Date(Date.UTC(fullYear, month, day, h, m, Math.min(s, 59)));
  date.setUTCFullYear(fullYear); // Date.UTC takes years below 100 for 19xx.
  const isReal = date.getUTCDate() === day && h < 24 && m < 60 && s <= 60; // A leap second is one.
  return isReal ? date.getTime() : undefined;
}

/** A year of two digits that seems more than 50 years ahead is one of the past (RFC 9110 §5.6.7). */
function toFullYear(year: number): number {
  const now = new Date().getUTCFullYear();
  const inThisCentury = now - (now % 100) + year;
  return inThisCentury > now + 50 ? inThisCentury - 100 : inThisCentury;
}
