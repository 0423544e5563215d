/** After how many refusals a client is banned, and for how long. Microseconds. */
export interface BanRules {
  /** Refusals within `withinUs`; 0: nobody is banned. */
  readonly after: number;
  readonly withinUs: number;
  /** Of the first ban; each further one lasts twice as long as the one before. */
  readonly durationUs: number;
  readonly maxDurationUs: number;
}

/** Nobody is banned. */
export const NO_BANS: BanRules = { after: 0, withinUs: 0, durationUs: 0, maxDurationUs: 0 };

/** What is known of a client's conduct. */
export interface Conduct {
  readonly untilUs: number;
  /** How often it has been banned. Forgotten when it has not been for as long as the longest ban. */
  readonly level: number;
  readonly refusals: number;
  readonly sinceUs: number;
}

/** Conduct after one refusal more, by someone who is not banned now. */
export function afterRefusal(conduct: Conduct | undefined, rules: BanRules, clockUs: number): Conduct {
  const { level = 0, refusals = 0, sinceUs = clockUs, untilUs = 0 } = conduct ?? {};
  const isOld = refusals === 0 || sinceUs + rules.withinUs <= clockUs;
  const counted = isOld ? { refusals: 1, sinceUs: clockUs } : { refusals: refusals + 1, sinceUs };
  if (counted.refusals < rules.after) return { untilUs, level, ...counted };
  const lastsUs = Math.min(rules.durationUs * 2 ** Math.min(level, 30), rules.maxDurationUs);
  return { untilUs: clockUs + lastsUs, level: level + 1, refusals: 0, sinceUs: clockUs };
}

/** When conduct is forgotten. */
export function forgottenAt({ untilUs, sinceUs }: Conduct, rules: BanRules): number {
  return Math.max(untilUs + rules.maxDurationUs, sinceUs + rules.withinUs);
}
