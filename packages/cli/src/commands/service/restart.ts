import { annotations, KipError, pods, childNames, statefulServices } from '@skipper/api';
import { engineOf } from '@skipper/engines';
import { hasReason } from '@skipper/kube';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { requestManager } from '../../field-manager.ts';
import { note } from '../../output.ts';
import type { ScopeOptions } from '../../options.ts';
import { inScope, requireService, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';
import { waitForService } from '../../wait.ts';

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
    const old = before.items[0]?.metadata?.uid;
    const isNew = (pod: Pod | undefined): boolean => pod?.metadata?.uid !== old;
    await waitForService(client, name, scope, options.timeout, (_service, pod?: Pod) => isNew(pod) && isReady(pod), {
      beside: { type: pods, name: childNames.pod(name) },
      goesOn: (pod) => isNew(pod) || pod?.metadata?.deletionTimestamp !== undefined,
    });
    note(`Service "${name}" has been restarted.`);
  });
}

const podOf = (name: string, namespace: string) => ({ namespace, fieldSelector: `metadata.name=${childNames.pod(name)}` });

const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
