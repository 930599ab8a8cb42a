import { annotations, childNames, KipError, persistentVolumeClaims, statefulServices, type StatefulService } from '@skipper/api';
import { engineOf } from '@skipper/engines';
import { hasReason, type KubeClient } from '@skipper/kube';
import { appsBoundTo } from '../../apps.ts';
import { requestManager } from '../../field-manager.ts';
import { note } from '../../output.ts';
import type { ScopeOptions } from '../../options.ts';
import { describeScope, requireService, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';
import { waitForService } from '../../wait.ts';

export interface DeleteServiceOptions extends ScopeOptions {
  deleteData?: boolean;
  wait: boolean;
  timeout: number;
}

/** `kip service delete` */
export async function deleteService(name: string, options: DeleteServiceOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client, name: cluster }) => {
    const service = await requireService(client, name, scope);
    const what = `"${name}" (${engineOf(service.spec.type).title}) in ${describeScope(scope)} on ${cluster}`;
    const bound = (await appsBoundTo(client, name, scope.namespace)).map((app) => `"${app}"`).join(', ');
    if (!options.deleteData) {
      const claim = await client.find(persistentVolumeClaims, childNames.claim(name), { namespace: scope.namespace });
      const size = claim?.status?.capacity?.['storage'] ?? service.spec.storage;
      throw new KipError(
        'needs-confirmation',
        `Deleting ${what} permanently destroys its volume${size ? ` of ${size}` : ''} and all data.${bound && ` These apps are bound to it and would lose it: ${bound}.`}`,
        { hint: 'Nothing was changed. Delete it with --delete-data; there is no undo.' },
      );
    }
    if (bound) note(`  These apps are unbound from it: ${bound}.`);
    await deleteWithData(client, service);
    if (!options.wait) return note(`Service ${what} is being deleted.`);
    await waitForService(client, name, scope, options.timeout, (now) => now === undefined || now.metadata?.uid !== service.metadata!.uid);
    note(`Service ${what} and all its data are deleted.`);
  });
}

const tries = 10;

/** Asks for the data, then deletes: only together, so that a later deletion which means to keep them does not take them. */
async function deleteWithData(client: KubeClient, { metadata }: StatefulService): Promise<void> {
  const { name = '', namespace = '', uid } = metadata!;
  const ask = (at: string | null, resourceVersion?: string): Promise<StatefulService> =>
    client.patch(
      statefulServices,
      name,
      { metadata: { uid, resourceVersion, annotations: { [annotations.deleteData]: at } } },
      { namespace, fieldManager: requestManager },
    );
  for (let attempt = 1; ; attempt += 1) {
    const asked = await ask(new Date().toISOString());
    try {
      await client.delete(statefulServices, name, { namespace, uid, resourceVersion: asked.metadata?.resourceVersion });
      return;
    } catch (error) {
      // Something else of it has changed in between.
      if (hasReason(error, 'Conflict') && attempt < tries) continue;
      // Of this version alone: the deletion may have begun, though its answer was lost.
      await ask(null, asked.metadata?.resourceVersion).catch(() => undefined);
      throw error;
    }
  }
}
