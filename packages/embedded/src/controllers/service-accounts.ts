import { namespaces } from '@skipper/api';
import { createInformer, hasReason, type KubeClient } from '@skipper/kube';
import type { Log } from '../contracts.ts';
import { serviceAccounts } from '../kinds.ts';
import { createWorkQueue, type WorkQueue } from '../work-queue.ts';

const name = 'default';

/** Gives every namespace its service account `default`, which tools wait for before they make pods. */
export function startServiceAccountController(client: KubeClient, log: Log): WorkQueue {
  const all = createInformer(client, namespaces, { log });
  const accounts = createInformer(client, serviceAccounts, { fieldSelector: `metadata.name=${name}`, log });
  const queue = createWorkQueue(reconcile, (namespace, error) => {
    if (!hasReason(error, 'NotFound')) log(`service account of namespace ${namespace}: ${error.message}`);
  });
  all.subscribe(({ object }) => queue.add(object.metadata!.name!));
  accounts.subscribe(({ type, object }) => {
    if (type === 'DELETED') queue.add(object.metadata!.namespace!);
  });

  async function reconcile(namespace: string): Promise<void> {
    await Promise.all([all.synced(), accounts.synced()]);
    const found = all.get(namespace);
    if (!found || found.metadata!.deletionTimestamp || accounts.get(name, namespace)) return;
    await client.create(serviceAccounts, { metadata: { name, namespace } }).catch((error: unknown) => {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    });
  }

  return {
    ...queue,
    async close() {
      all.close();
      accounts.close();
      await queue.close();
    },
  };
}
