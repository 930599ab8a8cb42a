import { engineOf } from '@skipper/engines';
import { note, print, printable, printData } from '../../output.ts';
import type { OutputOptions, ScopeOptions } from '../../options.ts';
import { connectionOf, connectionText, requireService, scopeOfOptions, summaryOf } from '../../services.ts';
import { findStandIn, noteStandIn } from '../../stand-in.ts';
import { withCluster } from '../../target-cluster.ts';

/** `kip service info` */
export async function showService(name: string, options: ScopeOptions & OutputOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const service = await requireService(client, name, scope);
    const [connection, program] = await Promise.all([connectionOf(client, service, scope), findStandIn(client, service)]);
    const summary = summaryOf(service, scope);
    const uri = engineOf(service.spec.type).uri(connection);
    if (await printData(options, { ...summary, ...connection, uri, ...(program ? { program } : {}) })) return;
    print(connectionText(service, connection));
    noteStandIn(service, program);
    if (summary.status !== 'running') note(`  It is ${summary.status}${summary.message ? `: ${printable(summary.message)}` : '.'}`);
  });
}
