import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listClusters } from './commands/cluster/list.ts';
import { useCluster } from './commands/cluster/use.ts';
import { targetCluster } from './target-cluster.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kip-target-'));
  vi.stubEnv('KIP_HOME', join(folder, 'home'));
  vi.stubEnv('HOME', folder);
  vi.stubEnv('KUBECONFIG', '');
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** A kubeconfig with a context "default", as K3s and others write it. */
function kubeconfig(path: string, server: string): string {
  const file = join(folder, path);
  mkdirSync(join(file, '..'), { recursive: true });
  const content = {
    'current-context': 'default',
    contexts: [{ name: 'default', context: { cluster: 'default' } }],
    clusters: [{ name: 'default', cluster: { server } }],
  };
  writeFileSync(file, JSON.stringify(content));
  return file;
}

async function target(options = {}): Promise<string> {
  const { client, name } = await targetCluster(options);
  client.close();
  return name;
}

async function listed(options = {}): Promise<string[]> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await listClusters({ ...options, output: 'json' });
  const clusters = JSON.parse(String(write.mock.calls[0]![0])) as { name: string; server: string; current: boolean }[];
  write.mockRestore();
  return clusters.map(({ name, server, current }) => `${current ? '*' : ''}${name} ${server}`);
}

describe('a cluster that was chosen', () => {
  const embedded = 'embedded not made yet: kip up';
  let production: string;
  let staging: string;
  beforeEach(() => {
    production = kubeconfig('.kube/config', 'https://production:6443');
    staging = kubeconfig('staging.yaml', 'https://staging:6443');
  });

  it('stays the same one when KUBECONFIG names other files', async () => {
    vi.stubEnv('KUBECONFIG', [staging, join(folder, 'none')].join(delimiter));
    await useCluster('default', {});
    expect(await listed()).toEqual([embedded, '*default https://staging:6443']);
    for (const other of ['', production]) {
      vi.stubEnv('KUBECONFIG', other);
      expect(await target()).toBe('cluster "default" (https://staging:6443)');
      expect(await listed()).toEqual([embedded, 'default https://production:6443', '*default https://staging:6443']);
    }
  });

  it('gives way to flags', async () => {
    await useCluster('default', { kubeconfig: staging });
    expect(await target({ kubeconfig: production })).toContain('https://production:6443');
    expect(await listed({ kubeconfig: production })).toEqual([embedded, '*default https://production:6443']);
    expect(await target({ context: 'default' })).toContain('https://production:6443');
    expect(await listed({ context: 'default' })).toEqual([embedded, '*default https://production:6443']);
  });

  it('is never exchanged for another when its file is gone', async () => {
    await useCluster('default', { kubeconfig: staging });
    rmSync(staging);
    await expect(target()).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(staging) });
    expect(await listed()).toEqual([embedded, 'default https://production:6443', `*default ${staging} cannot be read`]);
  });

  it('is none once that is taken back', async () => {
    await useCluster('default', {});
    expect(await target()).toContain('https://production:6443');
    await useCluster(undefined, { unset: true });
    await expect(target()).rejects.toMatchObject({ code: 'no-cluster' });
    expect(await listed()).toEqual([`*${embedded}`, 'default https://production:6443']);
  });

  it.each(['{', '[]', '{"context": 1}', '{"context": "default"}'])('is asked for again when it was noted as %s', async (content) => {
    mkdirSync(join(folder, 'home'));
    writeFileSync(join(folder, 'home', 'config.json'), content);
    const damaged = { code: 'damaged', message: expect.stringContaining('config.json'), hint: expect.stringContaining('kip cluster use') };
    await expect(target()).rejects.toMatchObject(damaged);
    await useCluster('default', {});
    expect(await target()).toContain('https://production:6443');
  });

  it('is not passed over when it cannot be read', async () => {
    mkdirSync(join(folder, 'home', 'config.json'), { recursive: true });
    await expect(target()).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining('EISDIR') });
  });
});
