import { engineOf } from '@skipper/engines';
import { note, print, printData } from '../../output.ts';
import type { OutputOptions, ScopeOptions } from '../../options.ts';
import { connectionOf, connectionText, requireService, scopeOfOptions, summaryOf } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';

/** `kip service info` */
export async function showService(name: string, options: ScopeOptions & OutputOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const service = await requireService(client, name, scope);
    const connection = await connectionOf(client, service);
    const summary = summaryOf(service, scope);
    if (await printData(options, { ...summary, ...connection, uri: engineOf(service.spec.type).uri(connection) })) return;
    print(connectionText(service, connection));
    if (summary.status !== 'running') note(`  It is ${summary.status}${summary.message ? `: ${summary.message}` : '.'}`);
  });
}
