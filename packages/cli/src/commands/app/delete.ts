import { apps } from '@skipper/api';
import { requireApp } from '../../apps.ts';
import type { ScopeOptions, WaitOptions } from '../../options.ts';
import { note } from '../../output.ts';
import { describeScope, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';
import { waitForApp } from '../../wait.ts';

export type DeleteAppOptions = ScopeOptions & WaitOptions;

/** `kip app delete` */
export async function deleteApp(name: string, options: DeleteAppOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client, name: cluster }) => {
    const app = await requireApp(client, name, scope);
    const uid = app.metadata!.uid!;
    await client.delete(apps, name, { namespace: scope.namespace, uid });
    const what = `App "${name}" in ${describeScope(scope)} on ${cluster}`;
    if (!options.wait) return note(`${what} is being deleted.`);
    await waitForApp(client, name, scope, options.timeout, (now) => now?.metadata?.uid !== uid);
    note(`${what} is deleted.`);
    const bound = (app.spec.bindings ?? []).map(({ service }) => `"${service}"`);
    if (bound.length > 0) note(`  What it stored in ${bound.join(', ')} is still there.`);
  });
}
