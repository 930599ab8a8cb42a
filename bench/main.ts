import { mkdir, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { createClient, loadKubeconfig, resolveCluster } from '@skipper/kube';
import { benchBind } from './bind.ts';
import { benchClusterService } from './cluster-service.ts';
import { benchEmbedded, makeHome } from './embedded.ts';
import { benchEmbeddedService } from './embedded-service.ts';
import { benchEngines } from './engines.ts';
import type { Measurement } from './measurement.ts';
import { withOperator } from './operated.ts';
import { kip, root } from './programs.ts';
import { benchObjectStore } from './object-store.ts';
import { benchRequests } from './requests.ts';
import { benchStartup } from './startup.ts';
import { benchTunnel } from './tunnel.ts';

/**
 * Every figure that the product is held to, as ratios to something measured in the same run. On an embedded cluster of its own, and on
 * the cluster that KUBECONFIG names, if it names one. Arguments choose parts by name. Linux only.
 */
const results = join(root, 'bench', 'results', 'latest.json');
const chosen = process.argv.slice(2);
const clusterKubeconfig = process.env['KUBECONFIG'];
const home = await makeHome();
const env = { KIP_HOME: home, KUBECONFIG: '' };
const embeddedKubeconfig = join(home, 'embedded', 'kubeconfig');

const parts: Record<string, () => Promise<Measurement[]>> = {
  embedded: benchEmbedded,
  startup: () => benchStartup(env, embeddedKubeconfig),
  service: () => benchEmbeddedService(env),
  engines: () => benchEngines(env, home),
  bind: () => benchBind('embedded cluster', env),
  requests: () => benchRequests('embedded cluster', embeddedKubeconfig),
  'object-store': benchObjectStore,
  ...(clusterKubeconfig
    ? {
        'cluster-service': () => benchClusterService(clusterKubeconfig, home),
        'cluster-bind': () =>
          withOperator(clusterKubeconfig, () =>
            benchBind('cluster', { KIP_HOME: home, KUBECONFIG: clusterKubeconfig }, 'docker.io/library/node:22'),
          ),
        'cluster-requests': () => benchRequests('cluster', clusterKubeconfig),
        tunnel: benchTunnel,
      }
    : {}),
};

const measurements: Measurement[] = [];
const failures: string[] = [];
await kip(['up'], env);
try {
  for (const [name, measure] of Object.entries(parts)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    process.stderr.write(`${name} …\n`);
    try {
      measurements.push(...(await measure()));
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message}`);
    }
  }
} finally {
  await kip(['down'], env);
  await rm(home, { recursive: true, force: true });
}
process.stdout.write(table(measurements));
for (const failure of failures) process.stderr.write(`not measured: ${failure}\n`);
await mkdir(dirname(results), { recursive: true });
await writeFile(
  results,
  `${JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length, cluster: await versionOf(clusterKubeconfig), measurements }, undefined, 2)}\n`,
);
process.exitCode = failures.length > 0 ? 1 : 0;

async function versionOf(kubeconfig: string | undefined): Promise<string | undefined> {
  if (!kubeconfig) return undefined;
  const client = createClient(resolveCluster(await loadKubeconfig({ files: [kubeconfig] })));
  try {
    return (JSON.parse((await client.raw('GET', '/version')).body) as { gitVersion: string }).gitVersion;
  } finally {
    client.close();
  }
}

function table(rows: readonly Measurement[]): string {
  const cells = rows.map(({ name, value, unit, floor, ratio, aim }) => [
    name,
    `${figure(value)} ${unit}`,
    floor ? `${figure(floor.value)} ${unit}` : '',
    floor?.name ?? '',
    ratio === undefined ? '' : `${figure(ratio)} ×`,
    aim ?? '',
  ]);
  const all = [['what', 'value', 'beside', 'of', 'ratio', 'aim'], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
