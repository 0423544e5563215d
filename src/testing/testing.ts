export type { Entry, EntryDraft } from '../cache/entry.ts';
export type { CacheStore, Found, Lookup } from '../cache/store.ts';
export type { Dependencies } from '../register/ledger.ts';
export type { Stamp, Verdict } from '../register/mirror.ts';
export type { Purge, PurgeKind, PurgeMode } from '../register/records.ts';
export type { Register } from '../register/register.ts';
export type { CacheStoreAdapter } from './cache-store-adapter.ts';
export { cacheStoreContract } from './cache-store-contract.ts';
export type { TestRunner } from './test-runner.ts';
