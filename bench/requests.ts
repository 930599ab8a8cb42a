import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namespaces, type ResourceType } from '@skipper/api';
import { createClient, loadKubeconfig, resolveCluster, type KubeClient } from '@skipper/kube';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { compared, type Measurement } from './measurement.ts';
import { median, timed } from './sampling.ts';

const reads = 500;
const writes = 2_000;
const writers = 32;
const rounds = 3;
const configMaps: ResourceType<ConfigMap> = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };

/** How long a request of our client takes, and how many durable writes a second the cluster of `kubeconfig` takes from many at once. */
export async function benchRequests(cluster: string, kubeconfig: string): Promise<Measurement[]> {
  const client = createClient(resolveCluster(await loadKubeconfig({ files: [kubeconfig] })));
  const namespace = `bench-${randomBytes(4).toString('hex')}`;
  try {
    await client.create(namespaces, { metadata: { name: namespace } });
    await client.create(configMaps, { metadata: { namespace, name: 'read' }, data: { a: '1' } });
    const latencies: number[] = [];
    for (let index = 0; index < reads; index++) latencies.push(await timed(() => client.get(configMaps, 'read', { namespace })));
    const rates: number[] = [];
    const floors: number[] = [];
    for (let round = 0; round < rounds; round++) {
      rates.push(await writeRate(client, namespace, round));
      floors.push(syncRate());
    }
    return [
      { name: `${cluster}: one request of the client`, value: median(latencies), unit: 'ms' },
      compared(`${cluster}: writes by ${writers} at once`, median(rates), 'writes/s', {
        name: 'one write and fdatasync after another',
        value: median(floors),
      }),
    ];
  } finally {
    await client.delete(namespaces, namespace).catch(() => {});
    client.close();
  }
}

async function writeRate(client: KubeClient, namespace: string, round: number): Promise<number> {
  let next = 0;
  const write = async (): Promise<void> => {
    for (let index = next++; index < writes; index = next++)
      await client.create(configMaps, { metadata: { namespace, name: `write-${round}-${index}` }, data: { value: 'x'.repeat(500) } });
  };
  const ms = await timed(() => Promise.all(Array.from({ length: writers }, write)));
  return (writes * 1000) / ms;
}

/** What the disk allows to somebody who makes every single write durable. */
function syncRate(): number {
  const folder = mkdtempSync(join(tmpdir(), 'kip-bench-'));
  const file = openSync(join(folder, 'log'), 'a');
  const record = Buffer.alloc(1_000);
  const count = 200;
  const started = performance.now();
  for (let index = 0; index < count; index++) {
    writeSync(file, record);
    fdatasyncSync(file);
  }
  const rate = (count * 1000) / (performance.now() - started);
  closeSync(file);
  rmSync(folder, { recursive: true });
  return rate;
}
