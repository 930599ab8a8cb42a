import { namespaces, statefulServices } from '@skipper/api';
import { hasReason } from '@skipper/kube';
import { colors, note, print, printable, printData, table } from '../../output.ts';
import type { OutputOptions, ScopeOptions } from '../../options.ts';
import { describeScope, inScope, scopeOfLabels, scopeOfOptions, summaryOf } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';

export interface ListOptions extends ScopeOptions, OutputOptions {
  all?: boolean;
}

/** `kip service list` */
export async function listServices(options: ListOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const ignoreMissingKind = (error: unknown): { items: [] } => {
      if (hasReason(error, 'NotFound')) return { items: [] };
      throw error;
    };
    const { items } = await client.list(statefulServices, options.all ? {} : { namespace: scope.namespace }).catch(ignoreMissingKind);
    const scopes = new Map<string, ReturnType<typeof scopeOfLabels>>();
    if (options.all)
      for (const { metadata } of (await client.list(namespaces)).items)
        scopes.set(metadata!.name!, scopeOfLabels(metadata!.name!, metadata!.labels));
    const rows = items
      .map((service) => summaryOf(service, options.all ? scopes.get(service.metadata!.namespace!) : scope))
      .sort((a, b) => (a.namespace + a.name < b.namespace + b.name ? -1 : 1));
    if (await printData(options, rows)) return;
    if (rows.length === 0) {
      note(
        `There are no services${options.all ? '' : ` in ${describeScope(scope)}`}. Make one with "${inScope('kip service add postgres --name mydb', scope)}".`,
      );
      return;
    }
    const head = ['NAME', 'TYPE', 'STATUS', 'READY', 'STORAGE'];
    const cells = rows.map(({ name, type, status, ready, storage }) => [name, type, status, ready, storage]);
    if (options.all) {
      head.unshift('PROJECT', 'ENVIRONMENT');
      rows.forEach(({ project, environment }, index) => cells[index]!.unshift(project, environment ?? '-'));
    }
    print(table([head, ...cells], 2, options.all ? [] : [9, 11, 9, 9]));
    for (const { name, message, status } of rows)
      if (status === 'failing' && message) note(`  ${colors.yellow('!')} ${name}: ${printable(message)}`);
  });
}
