import type { Response } from 'express';
import type { LimitResult, PolicyResult } from './limit-result.ts';

/** Which draft of the RateLimit fields is sent. */
export type StandardHeaders = 'draft-11' | 'draft-8' | 'draft-7' | 'draft-6' | boolean;

/** What clients are told about their limits. */
export interface HeaderConfig {
  readonly standardHeaders: Exclude<StandardHeaders, true>;
  readonly legacyHeaders: boolean;
}

type Fields = Record<string, string>;

/** Sets the fields that tell where the client stands. */
export function setLimitHeaders(res: Response, result: LimitResult, config: HeaderConfig): void {
  if (res.headersSent) return;
  const fields = limitFields(res, result, config);
  for (const name in fields) res.setHeader(name, fields[name] ?? '');
}

/**
 * The fields that tell where the client stands, of all policies. Those of another limiter on the same request stay.
 *
 * @see draft-ietf-httpapi-ratelimit-headers
 */
export function limitFields(res: Response, result: LimitResult, config: HeaderConfig): Fields {
  const fields: Fields = {};
  if (!result.allowed && Number.isFinite(result.retryAfterMs) && result.retryAfterMs > 0) {
    fields['Retry-After'] = String(seconds(result.retryAfterMs));
  }
  const tightest = result.policies.find(({ name }) => name === result.policy);
  if (tightest === undefined) return fields;
  if (config.legacyHeaders) addLegacy(fields, tightest);
  if (config.standardHeaders === 'draft-6') addDraft6(fields, tightest);
  else if (config.standardHeaders === 'draft-7') addDraft7(fields, tightest);
  else if (config.standardHeaders !== false) addStructured(fields, res, result.policies);
  return fields;
}

/** Whole seconds, rounded up: who waits them is not too early. */
function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

function secondsUntil(date: Date): number {
  return Math.max(0, seconds(date.getTime() - Date.now()));
}

/** Drafts 8 to 11: structured fields, a list with one member per policy. Names have no characters that a string would have to escape, and integers fewer than 16 digits. */
function addStructured(fields: Fields, res: Response, policies: readonly PolicyResult[]): void {
  fields['RateLimit-Policy'] = appended(res, 'RateLimit-Policy', policies.map(policyItem).join(', '));
  fields['RateLimit'] = appended(res, 'RateLimit', policies.map(standingItem).join(', '));
}

function policyItem({ name, limit, windowMs }: PolicyResult): string {
  return `"${name}";q=${limit}${windowMs === undefined ? ';qu="concurrent-requests"' : `;w=${seconds(windowMs)}`}`;
}

function standingItem({ name, remaining, windowMs, resetAt }: PolicyResult): string {
  return `"${name}";r=${remaining}${windowMs === undefined ? '' : `;t=${secondsUntil(resetAt)}`}`;
}

function appended(res: Response, field: string, members: string): string {
  const existing = res.getHeader(field);
  return existing === undefined ? members : `${String(existing)}, ${members}`;
}

function addDraft7(fields: Fields, { limit, remaining, resetAt, windowMs = 0 }: PolicyResult): void {
  fields['RateLimit-Policy'] = `${limit};w=${seconds(windowMs)}`;
  fields['RateLimit'] = `limit=${limit}, remaining=${remaining}, reset=${secondsUntil(resetAt)}`;
}

function addDraft6(fields: Fields, { limit, remaining, resetAt, windowMs = 0 }: PolicyResult): void {
  fields['RateLimit-Policy'] = `${limit};w=${seconds(windowMs)}`;
  fields['RateLimit-Limit'] = String(limit);
  fields['RateLimit-Remaining'] = String(remaining);
  fields['RateLimit-Reset'] = String(secondsUntil(resetAt));
}

function addLegacy(fields: Fields, { limit, remaining, resetAt }: PolicyResult): void {
  fields['X-RateLimit-Limit'] = String(limit);
  fields['X-RateLimit-Remaining'] = String(remaining);
  fields['X-RateLimit-Reset'] = String(seconds(resetAt.getTime()));
}
