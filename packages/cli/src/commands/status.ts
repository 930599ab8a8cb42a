import { readFileSync } from 'node:fs';
import { leases, statefulServices } from '@skipper/api';
import { hasReason } from '@skipper/kube';
import { findRunning } from '../embedded-process.ts';
import { print, printData } from '../output.ts';
import type { GlobalOptions, OutputOptions } from '../program.ts';
import { summaryOf } from '../services.ts';
import { withCluster } from '../target-cluster.ts';

/** `kip status` */
export async function status(options: GlobalOptions & OutputOptions): Promise<void> {
  await withCluster(options, async ({ client, name, embedded }) => {
    const version = JSON.parse((await client.raw('GET', '/version')).body) as { gitVersion: string };
    const lease = await client.find(leases, 'skipper-operator', { namespace: 'skipper-system' });
    const { items } = await client.list(statefulServices).catch((error: unknown) => {
      if (hasReason(error, 'NotFound')) return { items: [] };
      throw error;
    });
    const running = embedded ? findRunning() : undefined;
    const memory = running && residentBytes(running.pid);
    const summaries = items.map((service) => summaryOf(service));
    const data = {
      cluster: name,
      server: client.server,
      kubernetes: version.gitVersion,
      operator: lease?.spec?.holderIdentity || null,
      services: summaries.length,
      ready: summaries.filter(({ ready }) => ready === '1/1').length,
      ...(running ? { pid: running.pid } : {}),
      ...(memory ? { memoryBytes: memory } : {}),
    };
    if (await printData(options, data)) return;
    const lines: [string, string][] = [
      ['Cluster', `${name} (${data.server})`],
      ['Version', data.kubernetes],
      ['Operator', data.operator ?? 'none; start one with "kip operator"'],
      ['Services', `${data.services}, ${data.ready} ready`],
      ...(running ? [['Process', `${running.pid}${memory ? `, ${Math.round(memory / 1e6)} MB` : ''}`] as [string, string]] : []),
    ];
    print(lines.map(([label, value]) => `  ${`${label}:`.padEnd(10)} ${value}`).join('\n'));
  });
}

function residentBytes(pid: number): number | undefined {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024 || undefined;
  } catch {
    return undefined;
  }
}
