import { chmod, mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pods, secrets } from '@skipper/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder, pod, startTestCluster, until } from './node/cluster.fixture.ts';
import { makePassableFolder } from './passable-folder.ts';

let folder: string;
let umask: number;
beforeEach(async () => {
  folder = await makeFolder();
  umask = process.umask(0o077);
});
afterEach(async () => {
  process.umask(umask);
  await rm(folder, { recursive: true, force: true });
});

const modeOf = async (path: string) => (await stat(join(folder, path))).mode & 0o777;

// Pods of an unprivileged cluster run as its own user.
describe.runIf(process.getuid?.() === 0)('with a umask that shuts everybody else out', () => {
  it('folders that are made let the users of pods pass, and those that were there stay as they are', async () => {
    await mkdir(join(folder, 'there'));
    makePassableFolder(join(folder, 'there/above/below'), 0o711);
    expect(await Promise.all(['there', 'there/above', 'there/above/below'].map(modeOf))).toEqual([0o700, 0o711, 0o711]);
    await chmod(join(folder, 'there/above'), 0o700);
    makePassableFolder(join(folder, 'there/above'), 0o711);
    expect(await modeOf('there/above')).toBe(0o700);
  });

  it('pods run, and read what they are given', async () => {
    const cluster = await startTestCluster(folder);
    await cluster.kube.create(secrets, { metadata: { name: 'secret', namespace: 'default' }, stringData: { key: 'value' } });
    const script = `require('node:fs').readFileSync(process.env.DATA + '/deep/file')`;
    await cluster.kube.create(
      pods,
      pod('reader', script, {
        container: { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
        spec: {
          restartPolicy: 'Never',
          volumes: [{ name: 'data', secret: { secretName: 'secret', items: [{ key: 'key', path: 'deep/file' }] } }],
        },
      }),
    );
    const ended = await until('the pod has ended', async () => {
      const { status } = await cluster.kube.get(pods, 'reader', { namespace: 'default' });
      return status?.phase === 'Succeeded' || status?.phase === 'Failed' ? status.phase : undefined;
    });
    expect(ended).toBe('Succeeded');
    expect(await modeOf('engines')).toBe(0o755);
    await cluster.close();
  });
});
