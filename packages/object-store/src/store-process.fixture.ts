import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Account } from './test-client.fixture.ts';
import { credentials } from './test-store.fixture.ts';

const here = dirname(fileURLToPath(import.meta.url));
let bundle: Promise<string> | undefined;

/** The store as one file that Node runs, beside the packages that it needs. */
async function bundled(): Promise<string> {
  const cache = join(here, '..', '..', '..', 'node_modules', '.cache', 'skipper');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'object-store-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'store.mjs');
  await build({
    stdin: {
      contents: `import { startObjectStore, settingsFromEnvironment } from './index.ts';
        const store = await startObjectStore({ ...settingsFromEnvironment(process.env), log: (line) => console.error(line) });
        console.log(store.endpoint);`,
      resolveDir: here,
      loader: 'ts',
    },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['classic-level'],
    logLevel: 'error',
  });
  return outfile;
}

export interface StoreProcess {
  process: ChildProcess;
  account: Account;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
}

/** A store in a process of its own, that can be killed. */
export async function startStoreProcess(dataDir: string): Promise<StoreProcess> {
  const child = spawn(process.execPath, [await (bundle ??= bundled())], {
    env: {
      ...process.env,
      MINIO_ROOT_USER: credentials.accessKey,
      MINIO_ROOT_PASSWORD: credentials.secretKey,
      MINIO_VOLUMES: dataDir,
      MINIO_ADDRESS: '127.0.0.1:0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [line] = (await Promise.race([once(child.stdout!, 'data'), exited.then(() => [''])])) as [Buffer | string];
  const endpoint = line.toString().trim();
  if (!endpoint.startsWith('http')) throw new Error('the store did not start');
  return {
    process: child,
    account: { endpoint, ...credentials },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
