import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pods, statefulSets } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyProgram, clientOf, isAlive, makeFolder, pidOf, readyPod, until } from './cluster.fixture.ts';

let folder: string;
let child: ChildProcess | undefined;
beforeAll(async () => {
  folder = await makeFolder();
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<KubeClient> {
  child = spawn(process.execPath, ['scripts/run.mjs', 'packages/embedded/src/node/cluster-process.fixture.ts', folder], {
    cwd: join(import.meta.dirname, '../../../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until('the cluster serves', () => said.includes('ready'));
  return clientOf(join(folder, 'data', 'kubeconfig'));
}

/** Takes its time to stop, and notices when somebody else has its volume open. */
const careful = `
  const fs = require('node:fs');
  const lock = process.env.DATA + '/lock';
  process.on('SIGTERM', () => setTimeout(() => { fs.rmSync(lock); process.exit(0); }, 300));
  try { fs.writeFileSync(lock, String(process.pid), { flag: 'wx' }); } catch { fs.appendFileSync(process.env.DATA + '/clashes', 'clash '); }
  fs.appendFileSync(process.env.DATA + '/starts', process.pid + ' ');
  setInterval(() => {}, 1000);`;

const set: StatefulSet = {
  metadata: { name: 'careful', namespace: 'default' },
  spec: {
    serviceName: 'careful',
    replicas: 3,
    podManagementPolicy: 'Parallel',
    selector: { matchLabels: { app: 'careful' } },
    template: {
      metadata: { labels: { app: 'careful' } },
      spec: {
        terminationGracePeriodSeconds: 30,
        containers: [
          {
            name: 'main',
            image: anyProgram,
            command: ['node', '-e', careful],
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
            readinessProbe: {
              exec: { command: ['/bin/sh', '-c', 'test -e "$DATA/lock" && test -e "$DATA/starts"'] },
              timeoutSeconds: 20,
              periodSeconds: 1,
            },
          },
        ],
      },
    },
    volumeClaimTemplates: [
      { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } },
    ],
  },
};
const names = ['careful-0', 'careful-1', 'careful-2'];
const starts = (): number[] =>
  readdirSync(join(folder, 'data', 'volumes')).flatMap((volume) =>
    readFileSync(join(folder, 'data', 'volumes', volume, 'starts'), 'utf8')
      .trim()
      .split(' ')
      .map(Number),
  );

describe('a cluster that is killed', () => {
  it('leaves no process behind, and goes on where it was without ever opening a volume twice', async () => {
    let kube = await start();
    await kube.create(statefulSets, set);
    let running = await Promise.all(names.map((name) => readyPod(kube, name)));
    const uids = running.map(({ metadata }) => metadata?.uid);
    const rounds = 3;
    for (let round = 1; round <= rounds; round++) {
      kube.close();
      child!.kill('SIGKILL');
      await until('the cluster has ended', () => child!.signalCode !== null);
      // Half of the time the next one comes while the processes of this one still stop.
      if (round % 2) await until('no process is left', () => running.every((pod) => !isAlive(pidOf(pod))));
      const before = running.map(pidOf);
      kube = await start();
      running = await Promise.all(
        names.map(async (name, index) =>
          until(`${name} runs again`, async () => {
            const pod = await readyPod(kube, name);
            return pidOf(pod) !== before[index] && pod;
          }),
        ),
      );
      expect(before.filter(isAlive)).toEqual([]);
    }
    expect(running.map(({ metadata }) => metadata?.uid)).toEqual(uids);
    expect(running.map(({ status }) => status?.containerStatuses?.[0]?.restartCount)).toEqual([rounds, rounds, rounds]);
    for (const volume of readdirSync(join(folder, 'data', 'volumes')))
      expect(readdirSync(join(folder, 'data', 'volumes', volume))).not.toContain('clashes');
    expect((await kube.list(pods, { namespace: 'default' })).items).toHaveLength(3);

    kube.close();
    child!.kill('SIGTERM');
    await until('the cluster has ended', () => child!.exitCode !== null);
    expect(starts().filter(isAlive)).toEqual([]);
  }, 300_000);
});
