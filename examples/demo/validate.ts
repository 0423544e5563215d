/** Turns what a client sent into values the queries can take, or into a 400 that says what was wrong. */
import type { Request } from 'express';
import type { CityChange } from './queries.ts';

const MAX_ID = 2_147_483_647;

/** An error Express answers with its own status; the message is for the client. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function numberParameter(req: Request, name: string, from: number, to: number): number {
  const text = req.query[name];
  const value = typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN;
  if (value >= from && value <= to) return value;
  throw new HttpError(400, `${name} must be a number from ${from} to ${to}, such as ?${name}=${to / 2}`);
}

export function textParameter(req: Request, name: string, minLength: number, maxLength: number): string {
  const text = typeof req.query[name] === 'string' ? req.query[name].trim() : '';
  if (text.length >= minLength && text.length <= maxLength) return text;
  throw new HttpError(400, `${name} must be a text of ${minLength} to ${maxLength} characters, such as ?${name}=paris`);
}

export function cityId(req: Request): number {
  const id = Number(req.params['id']);
  if (Number.isInteger(id) && id >= 1 && id <= MAX_ID) return id;
  throw new HttpError(400, 'The id of a city is a whole number, such as /cities/1');
}

export function countryCode(req: Request): string {
  const code = String(req.params['code']).toUpperCase();
  if (/^[A-Z]{2}$/.test(code)) return code;
  throw new HttpError(400, 'The code of a country has two letters, such as /countries/FR');
}

export function cityChange(req: Request): CityChange {
  const { name, population } = (req.body ?? {}) as { name?: unknown; population?: unknown };
  if (name === undefined && population === undefined) {
    throw new HttpError(400, 'Send JSON with a name, a population or both, such as {"population": 2100000}');
  }
  return {
    ...(name !== undefined && { name: cityName(name) }),
    ...(population !== undefined && { population: cityPopulation(population) }),
  };
}

function cityName(value: unknown): string {
  const name = typeof value === 'string' ? value.trim() : '';
  if (name !== '' && name.length <= 200) return name;
  throw new HttpError(400, 'name must be a text of 1 to 200 characters');
}

function cityPopulation(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 100_000_000) return value;
  throw new HttpError(400, 'population must be a whole number from 0 to 100000000');
}
