import { askApp, askNetwork } from './ask-url.ts';
import type { WarmConfig } from './config.ts';
import { sizeOf, type UrlItem, type ValueItem, type ValuesItem, type WarmedCache, type WarmItem } from './plan.ts';

/** One thing to do. */
export interface Task {
  /** Names it, in errors and where a run goes on. */
  readonly id: string;
  /** How many entries it is about. */
  readonly size: number;
  run(): Promise<unknown>;
}

/**
 * What is to be done for an item.
 *
 * @throws {TypeError} When it is none.
 */
export function toTask(item: WarmItem, data: WarmedCache, config: WarmConfig): Task {
  const size = sizeOf(item);
  const jittered = <Options extends { readonly jitter?: number | undefined }>(options: Options): Options => ({
    ...options,
    jitter: options.jitter ?? config.jitter,
  });
  if ('key' in item && typeof item.load === 'function') {
    const { key, load, ...options } = item as ValueItem<unknown>;
    return { id: key, size, run: () => data.getOrSet(key, load, jittered(options)) };
  }
  if ('keys' in item && typeof item.loadMany === 'function') {
    const { keys, loadMany, ...options } = item as ValuesItem<unknown>;
    return { id: keys[0] ?? '', size, run: () => data.getOrSetMany(keys, loadMany, jittered(options)) };
  }
  if ('url' in item && typeof item.url === 'string') return { id: item.url, size, run: () => ask(item, config) };
  throw new TypeError('warm: an item is { key, load }, { keys, loadMany } or { url }.');
}

async function ask({ url, headers = {} }: UrlItem, { app, baseUrl, timeoutMs }: WarmConfig): Promise<void> {
  if (app === undefined && !URL.canParse(url, baseUrl)) {
    throw new TypeError(`warm: whose ${url}? Give the application as app, or a baseUrl.`);
  }
  const asked = { url: toUrl(url, new URL(baseUrl ?? 'http://localhost')), headers, timeoutMs };
  const status = await (app === undefined ? askNetwork(asked) : askApp(app, asked));
  if (status >= 400) throw new Error(`${url} was answered with ${status}.`);
}

/** A path that was put together of somebody's text may begin with two slashes: it is no way to another host. */
function toUrl(url: string, base: URL): URL {
  const found = new URL(url, base);
  if (found.origin === base.origin || URL.canParse(url)) return found;
  throw new TypeError(`warm: ${url} is no path, but leads to ${found.host}. Write its scheme too if that is meant.`);
}
