import { apps, namespaces, type App } from '@skipper/api';
import { hasReason } from '@skipper/kube';
import { appSummaryOf, whatRuns } from '../../apps.ts';
import type { OutputOptions, ScopeOptions } from '../../options.ts';
import { colors, note, print, printable, printData, table } from '../../output.ts';
import { describeScope, inScope, scopeOfLabels, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';

export interface ListAppsOptions extends ScopeOptions, OutputOptions {
  all?: boolean;
}

/** `kip app list` */
export async function listApps(options: ListAppsOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const { items } = await client.list(apps, options.all ? {} : { namespace: scope.namespace }).catch((error: unknown) => {
      if (hasReason(error, 'NotFound')) return { items: [] as App[] };
      throw error;
    });
    const scopes = new Map<string, ReturnType<typeof scopeOfLabels>>();
    if (options.all)
      for (const { metadata } of (await client.list(namespaces)).items)
        scopes.set(metadata!.name!, scopeOfLabels(metadata!.name!, metadata!.labels));
    const rows = items
      .map((app) => appSummaryOf(app, options.all ? scopes.get(app.metadata!.namespace!) : scope))
      .sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
    if (await printData(options, rows)) return;
    if (rows.length === 0)
      return note(
        `There are no apps${options.all ? '' : ` in ${describeScope(scope)}`}. Make one with "${inScope('kip app deploy api …', scope)}".`,
      );
    const head = [...(options.all ? ['PROJECT', 'ENVIRONMENT'] : []), 'NAME', 'STATUS', 'READY', 'SERVICES', 'RUNS'];
    const cells = rows.map((row) => [
      ...(options.all ? [row.project, row.environment ?? '-'] : []),
      row.name,
      row.status,
      row.ready,
      row.services.join(',') || '-',
      row.url ? `${whatRuns(row)} at ${row.url}` : whatRuns(row),
    ]);
    print(table([head, ...cells], 2, options.all ? [] : [9, 9, 9]));
    for (const { name, message, status } of rows)
      if (status === 'failing' && message) note(`  ${colors.yellow('!')} ${name}: ${printable(message)}`);
  });
}
