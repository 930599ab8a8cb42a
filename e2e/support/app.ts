import { mkdtemp, chmod, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { labels, pods, type ServiceType } from '@skipper/api';
import type { TestCluster } from './kip.ts';
import { until } from './until.ts';

const folder = dirname(fileURLToPath(import.meta.url));
/** A process cannot be started with a longer variable than 128 KiB. */
const longestVariable = 90_000;

/** The app of `app-server.ts` with the drivers of these services, as one program. */
async function programFor(types: readonly ServiceType[]): Promise<string> {
  const imports = types.map((type) => `import { store as ${type} } from './stores/${type}.ts';`);
  const { outputFiles } = await build({
    stdin: {
      contents: `${imports.join('\n')}\nimport { serve } from './app-server.ts';\nserve({ ${types.join(', ')} });`,
      resolveDir: folder,
      loader: 'ts',
    },
    write: false,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minify: true,
    external: [
      'pg-native',
      'bufferutil',
      'utf-8-validate',
      'kerberos',
      'snappy',
      'aws4',
      'socks',
      'gcp-metadata',
      'mongodb-client-encryption',
      '@mongodb-js/zstd',
      '@aws-sdk/credential-providers',
    ],
    logLevel: 'error',
  });
  return outputFiles[0]!.text;
}

export interface TestApp {
  /** What `kip app deploy` needs besides the name: what runs, and its port. */
  readonly flags: string[];
  /** Where kip is called, so that the app's files are found. */
  readonly folder: string;
  /** A manifest's spec of it. */
  readonly env: Record<string, string>;
  close(): Promise<void>;
}

export const appPort = 8080;

/**
 * The test app for a cluster: a file that runs as a process on the embedded one; on a real one, where there is no registry to push an
 * image to, Node's own image with the program in its variables.
 */
export async function testApp(cluster: TestCluster, types: readonly ServiceType[]): Promise<TestApp> {
  const program = await programFor(types);
  const place = await mkdtemp(join(tmpdir(), 'kip-e2e-app-'));
  const close = (): Promise<void> => rm(place, { recursive: true, force: true });
  if (cluster.embedded) {
    // Pods run as an unprivileged user.
    await chmod(place, 0o755);
    await writeFile(join(place, 'app.cjs'), program);
    return { flags: ['--port', String(appPort), '--command', 'node app.cjs'], folder: place, env: {}, close };
  }
  const packed = gzipSync(program, { level: 9 }).toString('base64');
  const parts = packed.match(new RegExp(`.{1,${longestVariable}}`, 'g'))!;
  const env = Object.fromEntries(parts.map((part, index) => [`PROGRAM_${index}`, part]));
  const joined = Object.keys(env).map((name) => `process.env.${name}`);
  const start = `const module_ = new module.constructor(); module_.paths = []; const code = require('zlib').gunzipSync(Buffer.from(${joined.join('+')}, 'base64')).toString(); module_._compile(code, '/app.cjs')`;
  await writeFile(
    join(place, 'app.env'),
    Object.entries(env)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
  );
  await writeFile(join(place, 'start.js'), start);
  const flags = ['--image', 'docker.io/library/node:22', '--port', String(appPort), '--env-file', join(place, 'app.env')];
  return { flags: [...flags, '--command', `node -e "${start.replaceAll('"', '\\"')}"`], folder: place, env, close };
}

/** Asks one of the app's pods over HTTP, through the API server. @throws with the app's own words for a failure. */
export async function ask<T>(cluster: TestCluster, namespace: string, app: string, path: string, body?: string): Promise<T> {
  const pod = await until(`a pod of ${app} is ready`, async () => readyPods(cluster, namespace, app).then((found) => found[0]));
  const forward = cluster.client.portForward(pod, { namespace });
  try {
    await forward.ready();
    const response = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const asked = request(
        {
          path,
          method: body === undefined ? 'GET' : 'POST',
          headers: { host: app },

          createConnection: () => forward.connect(appPort) as never,
        },
        (answer) => void text(answer).then((all) => resolve({ status: answer.statusCode!, text: all }), reject),
      );
      asked.once('error', reject);
      asked.end(body);
    });
    if (response.status !== 200) throw new Error(`${app} answered ${response.status}: ${response.text}`);
    return JSON.parse(response.text) as T;
  } finally {
    forward.close();
  }
}

/** Names of the pods that are ready and stay, the oldest first. */
export async function readyPods(cluster: TestCluster, namespace: string, app: string): Promise<string[]> {
  const { items } = await cluster.client.list(pods, { namespace, labelSelector: `${labels.app}=${app}` });
  return items
    .filter(
      ({ metadata, status }) =>
        !metadata?.deletionTimestamp && status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    )
    .sort((a, b) => a.metadata!.creationTimestamp!.localeCompare(b.metadata!.creationTimestamp!))
    .map(({ metadata }) => metadata!.name!);
}
