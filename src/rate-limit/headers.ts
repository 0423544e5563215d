import type { Response } from 'express';
import type { LimitResult, PolicyResult } from './limit-result.ts';

/** Which draft of the RateLimit fields is sent. */
export type StandardHeaders = 'draft-11' | 'draft-8' | 'draft-7' | 'draft-6' | boolean;

/** What clients are told about their limits. */
export interface HeaderConfig {
  readonly standardHeaders: Exclude<StandardHeaders, true>;
  readonly legacyHeaders: boolean;
}

/**
 * Sets the fields that tell where the client stands, of all policies. Those of another limiter on the same request stay.
 *
 * @see draft-ietf-httpapi-ratelimit-headers
 */
export function setLimitHeaders(res: Response, result: LimitResult, config: HeaderConfig): void {
  if (res.headersSent) return;
  if (!result.allowed && Number.isFinite(result.retryAfterMs) && result.retryAfterMs > 0) {
    res.setHeader('Retry-After', String(seconds(result.retryAfterMs)));
  }
  const tightest = result.policies.find(({ name }) => name === result.policy);
  if (tightest === undefined) return;
  if (config.legacyHeaders) setLegacy(res, tightest);
  if (config.standardHeaders === 'draft-6') setDraft6(res, tightest);
  else if (config.standardHeaders === 'draft-7') setDraft7(res, tightest);
  else if (config.standardHeaders !== false) setStructured(res, result.policies);
}

/** Whole seconds, rounded up: who waits them is not too early. */
function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

function secondsUntil(date: Date): number {
  return Math.max(0, seconds(date.getTime() - Date.now()));
}

/** Drafts 8 to 11: structured fields, a list with one member per policy. Names have no characters that a string would have to escape, and integers fewer than 16 digits. */
function setStructured(res: Response, policies: readonly PolicyResult[]): void {
  append(res, 'RateLimit-Policy', policies.map(policyItem).join(', '));
  append(res, 'RateLimit', policies.map(standingItem).join(', '));
}

function policyItem({ name, limit, windowMs }: PolicyResult): string {
  return `"${name}";q=${limit}${windowMs === undefined ? ';qu="concurrent-requests"' : `;w=${seconds(windowMs)}`}`;
}

function standingItem({ name, remaining, windowMs, resetAt }: PolicyResult): string {
  return `"${name}";r=${remaining}${windowMs === undefined ? '' : `;t=${secondsUntil(resetAt)}`}`;
}

function append(res: Response, field: string, members: string): void {
  const existing = res.getHeader(field);
  res.setHeader(field, existing === undefined ? members : `${String(existing)}, ${members}`);
}

function setDraft7(res: Response, { limit, remaining, resetAt, windowMs = 0 }: PolicyResult): void {
  res.setHeader('RateLimit-Policy', `${limit};w=${seconds(windowMs)}`);
  res.setHeader('RateLimit', `limit=${limit}, remaining=${remaining}, reset=${secondsUntil(resetAt)}`);
}

function setDraft6(res: Response, { limit, remaining, resetAt, windowMs = 0 }: PolicyResult): void {
  res.setHeader('RateLimit-Policy', `${limit};w=${seconds(windowMs)}`);
  res.setHeader('RateLimit-Limit', String(limit));
  res.setHeader('RateLimit-Remaining', String(remaining));
  res.setHeader('RateLimit-Reset', String(secondsUntil(resetAt)));
}

function setLegacy(res: Response, { limit, remaining, resetAt }: PolicyResult): void {
  res.setHeader('X-RateLimit-Limit', String(limit));
  res.setHeader('X-RateLimit-Remaining', String(remaining));
  res.setHeader('X-RateLimit-Reset', String(seconds(resetAt.getTime())));
}
