import { KipError } from '@skipper/api';
import { adminApi } from './admin/admin-api.ts';
import { startObjectStore } from './object-store.ts';
import { settingsFromEnvironment } from './settings.ts';

/** The process behind a `minio` service of the embedded cluster where no MinIO is to be had. Its settings are MinIO's variables. */
async function main(): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const store = await startObjectStore({ ...settingsFromEnvironment(process.env), extensions: [adminApi], log });
  log(`serving ${store.endpoint}`);
  await stopped;
  log('stopping');
  await store.close();
  log('stopped');
}

function log(message: string): void {
  process.stderr.write(`${new Date().toISOString()} ${message}\n`);
}

main().catch((error: Error) => {
  log(error instanceof KipError ? `${error.message} ${error.hint ?? ''}` : (error.stack ?? error.message));
  process.exitCode = 1;
});
