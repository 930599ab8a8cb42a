import { labels } from '@skipper/api';
import { requireApp } from '../../apps.ts';
import { printLogs, type LogCommandOptions } from '../../logs/print-logs.ts';
import type { ScopeOptions } from '../../options.ts';
import { scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';

/** `kip app logs` */
export async function appLogs(name: string, options: ScopeOptions & LogCommandOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    await requireApp(client, name, scope);
    await printLogs(client, { namespace: scope.namespace, labelSelector: `${labels.app}=${name}`, what: `App "${name}"` }, options);
  });
}
