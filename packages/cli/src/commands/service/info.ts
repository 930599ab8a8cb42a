import { note, print, printable, printData } from '../../output.ts';
import type { OutputOptions, ScopeOptions } from '../../options.ts';
import { connectionOf, connectionText, requireService, scopeOfOptions, serviceDetails, summaryOf } from '../../services.ts';
import { findStandIn, noteStandIn } from '../../stand-in.ts';
import { withCluster } from '../../target-cluster.ts';

/** `kip service info` */
export async function showService(name: string, options: ScopeOptions & OutputOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const service = await requireService(client, name, scope);
    const [connection, program] = await Promise.all([connectionOf(client, service, scope), findStandIn(client, service)]);
    if (await printData(options, serviceDetails(service, connection, scope, program))) return;
    const summary = summaryOf(service);
    print(connectionText(service, connection));
    noteStandIn(service, program);
    if (summary.status !== 'running') note(`  It is ${summary.status}${summary.message ? `: ${printable(summary.message)}` : '.'}`);
  });
}
