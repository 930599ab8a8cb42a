import { settingsFromEnvironment, startObjectStore } from '@skipper/object-store';
import { stopRequested } from '../stop-requested.ts';

/** The process behind a `minio` service of the embedded cluster where no MinIO is to be had. Its settings are MinIO's variables. */
export async function runObjectStore(): Promise<void> {
  const log = (message: string): void => void process.stderr.write(`${new Date().toISOString()} ${message}\n`);
  const stop = stopRequested();
  const store = await startObjectStore({ ...settingsFromEnvironment(process.env), log });
  log(`serving ${store.endpoint}`);
  await stop;
  log('stopping');
  await store.close();
  log('stopped');
}
