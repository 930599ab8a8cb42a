import { annotations, KipError, pods, childNames, statefulServices, type Scope } from '@skipper/api';
import { engineOf } from '@skipper/engines';
import { createInformer, hasReason, type KubeClient } from '@skipper/kube';
import { requestManager } from '../../field-manager.ts';
import { note, startProgress } from '../../output.ts';
import type { ScopeOptions } from '../../options.ts';
import { inScope, requireService, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';

export interface RestartOptions extends ScopeOptions {
  force?: boolean;
  wait: boolean;
  timeout: number;
}

/** `kip service restart` */
export async function restartService(name: string, options: RestartOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client, name: cluster }) => {
    const service = await requireService(client, name, scope);
    if (!options.force) {
      throw new KipError(
        'needs-confirmation',
        `Restarting "${name}" (${engineOf(service.spec.type).title}) on ${cluster} ends every connection to it; it is down until it has started again.`,
        { hint: 'Restart it with --force.' },
      );
    }
    // What the pod is waited for by, too: who may not see it is told so rather than kept waiting.
    const before = await client.list(pods, podOf(name, scope.namespace)).catch((error: unknown) => {
      if (hasReason(error, 'Forbidden')) return undefined;
      throw error;
    });
    await client.patch(
      statefulServices,
      name,
      { metadata: { annotations: { [annotations.restartedAt]: new Date().toISOString() } } },
      { namespace: scope.namespace, fieldManager: requestManager },
    );
    if (!options.wait) return note(`Service "${name}" is being restarted.`);
    if (!before)
      return note(
        `Service "${name}" is being restarted. You may not see its pod; "${inScope('kip service list', scope)}" shows when the service is ready.`,
      );
    await waitForNewPod(client, name, scope, before.items[0]?.metadata?.uid, options.timeout);
    note(`Service "${name}" has been restarted.`);
  });
}

const podOf = (name: string, namespace: string) => ({ namespace, fieldSelector: `metadata.name=${childNames.pod(name)}` });

async function waitForNewPod(
  client: KubeClient,
  name: string,
  scope: Scope,
  before: string | undefined,
  timeoutSeconds: number,
): Promise<void> {
  const progress = startProgress();
  progress.update(`restarting ${name}`);
  const informer = createInformer(client, pods, podOf(name, scope.namespace));
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new KipError('timeout', `Service "${name}" was not ready again within ${timeoutSeconds} s.`, {
              hint: `Look with "${inScope('kip service list', scope)}".`,
            }),
          ),
        timeoutSeconds * 1000,
      );
      informer.subscribe(({ type, object }) => {
        const ready = object.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
        if (type === 'DELETED' || object.metadata?.uid === before || !ready) return;
        clearTimeout(timer);
        resolve();
      });
    });
  } finally {
    informer.close();
    progress.done();
  }
}
