import { annotations, apps, appChildNames, deployments, KipError } from '@skipper/api';
import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import { requireApp } from '../../apps.ts';
import { requestManager } from '../../field-manager.ts';
import type { ScopeOptions, WaitOptions } from '../../options.ts';
import { note } from '../../output.ts';
import { inScope, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';
import { waitForApp } from '../../wait.ts';

export type RestartAppOptions = ScopeOptions & WaitOptions;

/** `kip app restart` */
export async function restartApp(name: string, options: RestartAppOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const app = await requireApp(client, name, scope);
    if (app.spec.replicas === 0)
      throw new KipError('conflict', `App "${name}" has no pods to restart.`, {
        hint: `Start it with "${inScope(`kip app scale ${name} --replicas 1`, scope)}".`,
      });
    // Asked first: whoever may not see its Deployment would be told in the end that nothing had happened.
    if (options.wait) await client.list(deployments, deploymentOf(name, scope.namespace));
    const at = new Date().toISOString();
    await client.patch(
      apps,
      name,
      { metadata: { annotations: { [annotations.restartedAt]: at } } },
      { namespace: scope.namespace, fieldManager: requestManager },
    );
    if (!options.wait) return note(`App "${name}" is being restarted.`);
    await waitForApp(client, name, scope, options.timeout, (_app, deployment?: Deployment) => isRolledOut(deployment, at), {
      beside: { type: deployments, name: appChildNames.deployment(name) },
      goesOn: (deployment) => isOf(deployment, at),
    });
    note(`App "${name}" has been restarted.`);
  });
}

const deploymentOf = (name: string, namespace: string) => ({ namespace, fieldSelector: `metadata.name=${appChildNames.deployment(name)}` });

/** Whether its template is the one that was restarted at `at`. */
const isOf = (deployment: Deployment | undefined, at: string): boolean =>
  deployment?.spec?.template.metadata?.annotations?.[annotations.restartedAt] === at;

/** Whether all pods are of that template, and ready. */
function isRolledOut(deployment: Deployment | undefined, at: string): boolean {
  const { metadata, spec, status = {} } = deployment ?? {};
  const { observedGeneration = 0, updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = status;
  const wanted = spec?.replicas ?? 1;
  return (
    isOf(deployment, at) &&
    observedGeneration >= (metadata?.generation ?? 0) &&
    updatedReplicas >= wanted &&
    availableReplicas >= wanted &&
    replicas <= wanted
  );
}
