import { annotations, apps, appChildNames, deployments, KipError, type Scope } from '@skipper/api';
import { createInformer, type KubeClient } from '@skipper/kube';
import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import { requireApp } from '../../apps.ts';
import { requestManager } from '../../field-manager.ts';
import type { ScopeOptions, WaitOptions } from '../../options.ts';
import { note, startProgress } from '../../output.ts';
import { inScope, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';

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
    await waitForRollout(client, name, scope, at, options.timeout);
    note(`App "${name}" has been restarted.`);
  });
}

const deploymentOf = (name: string, namespace: string) => ({ namespace, fieldSelector: `metadata.name=${appChildNames.deployment(name)}` });

/** How far the pods are, or `undefined` when all of them are of the template that was restarted at `at`, and ready. */
function stillToDo({ metadata, spec, status = {} }: Deployment, at: string): string | undefined {
  const seen = spec?.template.metadata?.annotations?.[annotations.restartedAt] === at;
  if (!seen || (status.observedGeneration ?? 0) < (metadata?.generation ?? 0)) return 'waiting for the operator';
  const { updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = status;
  const wanted = spec?.replicas ?? 1;
  if (updatedReplicas < wanted || availableReplicas < wanted)
    return `${Math.min(updatedReplicas, availableReplicas)} of ${wanted} pods are new`;
  return replicas > wanted ? 'stopping the old pods' : undefined;
}

async function waitForRollout(client: KubeClient, name: string, scope: Scope, at: string, timeoutSeconds: number): Promise<void> {
  const progress = startProgress();
  progress.update('waiting for the operator');
  const informer = createInformer(client, deployments, deploymentOf(name, scope.namespace));
  try {
    await new Promise<void>((resolve, reject) => {
      let last = 'the operator did nothing';
      const timer = setTimeout(
        () =>
          reject(
            new KipError('timeout', `App "${name}" was not restarted within ${timeoutSeconds} s: ${last}.`, {
              hint: `It goes on in the background; look with "${inScope(`kip app info ${name}`, scope)}", or wait longer with --timeout.`,
            }),
          ),
        timeoutSeconds * 1000,
      );
      informer.subscribe(({ type, object }) => {
        const todo = type === 'DELETED' ? 'its Deployment is gone' : stillToDo(object, at);
        if (todo === undefined) {
          clearTimeout(timer);
          resolve();
        } else progress.update((last = todo));
      });
    });
  } finally {
    informer.close();
    progress.done();
  }
}
