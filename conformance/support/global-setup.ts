import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { resolveNodeImage } from './node-image.ts';

/** Hands the tests the cluster that KUBECONFIG names, else starts an embedded one in a temporary folder. */
export default async function provideCluster(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env['KUBECONFIG'];
  if (given) {
    project.provide('kubeconfig', given);
    return undefined;
  }
  const { startCluster } = await import('@skipper/embedded');
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  const lines: string[] = [];
  const cluster = await startCluster({
    dataDir: join(folder, 'data'),
    enginesDir: join(folder, 'engines'),
    port: 0,
    images: resolveNodeImage,
    log: (line: string) => lines.push(line),
  });
  project.provide('kubeconfig', cluster.kubeconfigPath);
  return async () => {
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
    if (process.env['CONFORMANCE_LOG']) process.stderr.write(`${lines.join('\n')}\n`);
  };
}
