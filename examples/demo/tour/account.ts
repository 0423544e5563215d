import { setTimeout as sleep } from 'node:timers/promises';
import { EXPORTS } from '../account.ts';
import { note, step } from '../print.ts';
import { show, type Tour } from './context.ts';

interface Device {
  readonly device: string;
  readonly current: boolean;
}

/** Sessions and a limit: what is personal, beside the pages that are for all. */
export async function showAccount(tour: Tour): Promise<void> {
  step(
    'One user, two devices, out of both',
    'suite.session() keeps sessions in Redis: one HGETALL per request. The suite knows whose they are, so a user can see all devices, and end the sessions on all of them at once.',
  );
  const laptop = await login(tour, 'laptop');
  const phone = await login(tour, 'phone');
  await show<Device[]>(tour, '/account/devices', devicesLine, as(phone, 'phone'));
  await show(tour, '/account/logout-everywhere', ({ ended }: { ended: number }) => `${ended} sessions ended`, {
    method: 'POST',
    ...as(laptop, 'laptop'),
  });
  await show(tour, '/account/devices', errorLine, as(phone, 'phone'));

  step(
    'A limit is reached, and released',
    `The export is limited to ${EXPORTS.limit} in any ${EXPORTS.window}, by user. One script decides, in one round trip; a refusal says when to come back, and until then costs Redis nothing.`,
  );
  const session = await login(tour, 'laptop');
  for (let i = 0; i < EXPORTS.limit; i++) await show(tour, '/account/export', exportLine, as(session, 'laptop'));
  const { answer } = await show(tour, '/account/export', refusalLine, as(session, 'laptop'));
  const seconds = Number(answer.headers['retry-after'] ?? 1);
  note(`Retry-After: ${seconds}. So much later:`);
  await sleep(seconds * 1_000);
  await show(tour, '/account/export', exportLine, as(session, 'laptop'));
}

/** Logs in and returns the session's cookie. */
async function login(tour: Tour, device: string): Promise<string> {
  const { answer } = await show(tour, '/account/login', () => `anna on her ${device}`, {
    method: 'POST',
    json: { name: 'anna' },
    headers: { 'User-Agent': device },
  });
  return String(answer.headers['set-cookie']).split(';', 1)[0] ?? '';
}

function as(cookie: string, device: string): { headers: Record<string, string> } {
  return { headers: { Cookie: cookie, 'User-Agent': device } };
}

function devicesLine(devices: Device[]): string {
  return devices.map(({ device, current }) => (current ? `${device} (this one)` : device)).join(', ');
}

function exportLine({ left }: { readonly left: number }): string {
  return `an export; ${left} left`;
}

function refusalLine(problem: { readonly title: string }): string {
  return problem.title;
}

function errorLine({ error }: { readonly error: string }): string {
  return error;
}
