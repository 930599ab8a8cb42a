import { annotations, statefulServices } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';

/** Deletes a service with its data, as `kip service delete --delete-data` does, and does not wait for it. */
export async function deleteWithData(client: KubeClient, name: string, namespace: string): Promise<void> {
  const asked = { metadata: { annotations: { [annotations.deleteData]: new Date().toISOString() } } };
  await client.patch(statefulServices, name, asked, { namespace });
  await client.delete(statefulServices, name, { namespace });
}
