import { setTimeout as delay } from 'node:timers/promises';
import { leases, managedBy } from '@skipper/api';
import { createClient, loadKubeconfig, resolveCluster, type KubeClient } from '@skipper/kube';
import { startOperator } from '@skipper/operator';

/** Does `work` while an operator looks after the cluster of `kubeconfig`, from outside of it. */
export async function withOperator<T>(kubeconfig: string, work: (client: KubeClient) => Promise<T>): Promise<T> {
  const client = createClient(resolveCluster(await loadKubeconfig({ files: [kubeconfig] })));
  const operator = await startOperator({ client, log: () => {}, reach: 'tunnel' });
  try {
    await elected(client);
    return await work(client);
  } finally {
    await operator.close();
    client.close();
  }
}

/** Waits until an operator leads, ours or another: an old lease may have to run out. */
async function elected(client: KubeClient): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await delay(200)) {
    const lease = (await client.list(leases)).items.find(({ metadata }) => metadata?.name?.startsWith(managedBy));
    const { renewTime, leaseDurationSeconds = 0 } = lease?.spec ?? {};
    if (renewTime && Date.parse(String(renewTime)) + leaseDurationSeconds * 1000 > Date.now()) return;
  }
  throw new Error('no operator leads on this cluster');
}
