import { childNames } from '@skipper/api';
import { printLogs, type LogCommandOptions } from '../../logs/print-logs.ts';
import type { ScopeOptions } from '../../options.ts';
import { requireService, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';

/** `kip service logs` */
export async function serviceLogs(name: string, options: ScopeOptions & LogCommandOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    await requireService(client, name, scope);
    const fieldSelector = `metadata.name=${childNames.pod(name)}`;
    await printLogs(client, { namespace: scope.namespace, fieldSelector, what: `Service "${name}"` }, options);
  });
}
