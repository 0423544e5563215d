import type { Policy } from './policy.ts';

/** How scripts take a policy apart: algorithm (its first letter), limit, window, cost, detail. Texts, not numbers. */
export const POLICY_PATTERN = `'(%a),(%d+),(%d+),(%d+),(%d+)'`;

const known = new WeakMap<Policy, string>();

/** A policy as one argument of a script: every argument costs more, here and in Redis, than taking it apart there. Remembered, because policies are shared by many decisions. */
export function packPolicy(policy: Policy): string {
  const packed = known.get(policy) ?? pack(policy);
  known.set(policy, packed);
  return packed;
}

function pack({ algorithm, limit, windowUs, cost, detail }: Policy): string {
  return [algorithm.charAt(0), limit, windowUs, cost, detail].join();
}
