import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pods } from '@skipper/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pod, readyPod, startTestCluster, until, type TestCluster } from './cluster.fixture.ts';

/** Longer than Node's timers hold, and than it takes for the time of a signal. */
const monthsInSeconds = 5_000_000;

let cluster: TestCluster;
let folder: string;
beforeAll(async () => {
  cluster = await startTestCluster();
  folder = await mkdtemp(join(tmpdir(), 'long-delays-'));
  await chmod(folder, 0o777);
});
afterAll(async () => {
  await cluster.close();
  await rm(folder, { recursive: true, force: true });
});

it('a pod that has months for it carries out its hook and stops by itself, and is probed no sooner than after months', async () => {
  const file = join(folder, 'order');
  const append = (word: string) => `require('node:fs').appendFileSync('${file}', '${word} ')`;
  const hook = { exec: { command: ['node', '-e', append('hook')] } };
  const never = {
    exec: { command: ['node', '-e', append('probe')] },
    initialDelaySeconds: monthsInSeconds,
    timeoutSeconds: monthsInSeconds,
  };
  const script = `process.on('SIGTERM', () => setTimeout(() => { ${append('stopped')}; process.exit(0); }, 200));
    setInterval(() => {}, 1000); ${append('started')};`;
  await cluster.kube.create(
    pods,
    pod('patient', script, {
      container: {
        lifecycle: { preStop: hook },
        livenessProbe: never,
        readinessProbe: {
          exec: { command: ['node', '-e', `require('node:fs').readFileSync('${file}')`] },
          timeoutSeconds: monthsInSeconds,
        },
      },
      spec: { terminationGracePeriodSeconds: monthsInSeconds },
    }),
  );
  await readyPod(cluster.kube, 'patient');
  await cluster.kube.delete(pods, 'patient', { namespace: 'default' });
  await until('it is gone', async () => !(await cluster.kube.find(pods, 'patient', { namespace: 'default' })));
  expect(await readFile(file, 'utf8')).toBe('started hook stopped ');
});
