import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Warmer, WarmItems, WarmPlan } from '../warm/warm.ts';

/** What a module of a plan exports. */
export interface PlanModule {
  readonly suite: Pick<Warmer, 'warm'> & { close(): Promise<void> };
  readonly plan: WarmPlan | WarmItems;
  /** Closes what the module has opened itself: its connection. */
  readonly close?: (() => unknown) | undefined;
}

/**
 * Loads the module of a plan.
 *
 * @throws {Error} When it cannot be loaded, saying why, or does not export what is needed.
 */
export async function loadPlan(file: string): Promise<PlanModule> {
  const loaded = await load(file);
  const found = { ...asObject(loaded['default']), ...loaded } as Partial<PlanModule>;
  const { suite, plan, close } = found;
  if (typeof suite?.warm !== 'function' || typeof suite.close !== 'function') {
    throw new Error(`${file} exports no suite. Write: export const suite = createSuite({ redis }).`);
  }
  if (typeof plan !== 'object') {
    throw new Error(`${file} exports no plan. Write: export const plan = definePlan({ items }).`);
  }
  return { suite, plan, close };
}

async function load(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw new Error(
        `Node ${process.versions.node} cannot load ${file}. TypeScript needs Node 22.18 or later, or: node --import tsx node_modules/.bin/express-redis-suite warm ${file}`,
        { cause: error },
      );
    }
    throw new Error(`${file} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** A CommonJS module is its default export. */
function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
