import { readFileSync } from 'node:fs';
import { apps, conditionTypes, findCondition, leases, statefulServices, type App, type StatefulService } from '@skipper/api';
import { hasReason } from '@skipper/kube';
import { findRunning } from '../embedded-process.ts';
import { print, printable, printData } from '../output.ts';
import type { GlobalOptions, OutputOptions } from '../options.ts';
import { withCluster } from '../target-cluster.ts';

/** `kip status` */
export async function status(options: GlobalOptions & OutputOptions): Promise<void> {
  await withCluster(options, async ({ client, name, context, embedded }) => {
    const version = JSON.parse((await client.raw('GET', '/version')).body) as { gitVersion: string };
    const lease = await client.find(leases, 'skipper-operator', { namespace: 'skipper-system' });
    const none = (error: unknown): { items: [] } => {
      if (hasReason(error, 'NotFound')) return { items: [] };
      throw error;
    };
    const [services, programs] = await Promise.all([client.list(statefulServices).catch(none), client.list(apps).catch(none)]);
    const running = embedded ? findRunning() : undefined;
    const memory = running && residentBytes(running.pid);
    const data = {
      cluster: embedded ? name : `cluster "${context}"`,
      server: client.server,
      kubernetes: version.gitVersion,
      operator: lease?.spec?.holderIdentity || null,
      services: services.items.length,
      ready: services.items.filter(isReady).length,
      apps: programs.items.length,
      readyApps: programs.items.filter(isReady).length,
      ...(running ? { pid: running.pid } : {}),
      ...(memory ? { memoryBytes: memory } : {}),
    };
    if (await printData(options, data)) return;
    const lines: [string, string][] = [
      ['Cluster', `${data.cluster} (${data.server})`],
      ['Version', data.kubernetes],
      ['Operator', data.operator ?? 'none; start one with "kip operator"'],
      ['Services', `${data.services}, ${data.ready} ready`],
      ['Apps', `${data.apps}, ${data.readyApps} ready`],
      ...(running ? [['Process', `${running.pid}${memory ? `, ${Math.round(memory / 1e6)} MB` : ''}`] as [string, string]] : []),
    ];
    print(lines.map(([label, value]) => `  ${`${label}:`.padEnd(10)} ${printable(value)}`).join('\n'));
  });
}

const isReady = ({ status: seen }: StatefulService | App): boolean =>
  findCondition(seen?.conditions, conditionTypes.ready)?.status === 'True';

function residentBytes(pid: number): number | undefined {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024 || undefined;
  } catch {
    return undefined;
  }
}
