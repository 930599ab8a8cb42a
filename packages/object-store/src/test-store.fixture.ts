import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { startObjectStore, type ObjectStore, type ObjectStoreOptions } from './object-store.ts';
import type { Account } from './test-client.fixture.ts';

export const credentials = { accessKey: 'skipper', secretKey: 'skipper-secret-1' };

/** A store on a free port for the tests of a file or group. */
export function useStore(options: Partial<ObjectStoreOptions> = {}): {
  account: () => Account;
  store: () => ObjectStore;
  folder: () => string;
} {
  let folder = '';
  let store: ObjectStore;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kip-object-store-'));
    store = await startObjectStore({ dataDir: folder, host: '127.0.0.1', port: 0, credentials, ...options });
  });
  afterAll(async () => {
    await store?.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { account: () => ({ endpoint: store.endpoint, ...credentials }), store: () => store, folder: () => folder };
}
