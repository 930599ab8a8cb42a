import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pods } from '@skipper/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { idle, makeFolder, pod, readyPod, startTestCluster, until, type TestCluster } from './cluster.fixture.ts';

/** A disk of its own needs root. */
const canMount = process.platform === 'linux' && process.getuid?.() === 0;
let folder: string;
let disk: string;
let cluster: TestCluster;

describe.runIf(canMount)('on a full disk', () => {
  beforeAll(async () => {
    folder = await makeFolder();
    disk = join(folder, 'data', 'pods');
    mkdirSync(disk, { recursive: true, mode: 0o711 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0711', 'tmpfs', disk]);
    cluster = await startTestCluster(folder);
  });
  afterAll(async () => {
    await cluster?.close();
    // Processes that were just killed may still stand in it.
    execFileSync('umount', ['-l', disk]);
    await rm(folder, { recursive: true, force: true });
  });

  it('a pod that cannot be made says so, goes on trying, and runs when there is space', async () => {
    const filler = join(disk, 'filler');
    let size = 256 << 10;
    while (size > 0) {
      try {
        writeFileSync(filler, Buffer.alloc(size));
        break;
      } catch {
        size -= 4096;
      }
    }
    await cluster.kube.create(
      pods,
      pod('squeezed', idle, {
        container: { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
        spec: { volumes: [{ name: 'data', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } }] },
      }),
    );
    const told = await until('it says so', async () => {
      const { status } = await cluster.kube.get(pods, 'squeezed', { namespace: 'default' });
      return JSON.stringify(status).includes('no space left') && status;
    });
    expect(told?.phase).toBe('Pending');
    rmSync(filler);
    await readyPod(cluster.kube, 'squeezed');
  });

  it('a container that talks goes on running', async () => {
    await cluster.kube.create(pods, pod('talks', `${idle} setInterval(() => console.log('x'.repeat(1000)), 1)`));
    await readyPod(cluster.kube, 'talks');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const { status } = await cluster.kube.get(pods, 'talks', { namespace: 'default' });
    expect(status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 });
  });
});
