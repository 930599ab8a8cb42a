import { inClusterConfig } from '@skipper/kube';
import { startOperator } from '@skipper/operator';
import { note, printable } from '../output.ts';
import type { GlobalOptions } from '../options.ts';
import { stopRequested } from '../stop-requested.ts';
import { withCluster } from '../target-cluster.ts';

/** `kip operator` */
export async function operator(options: GlobalOptions): Promise<void> {
  await withCluster(options, async ({ client, name, embedded }) => {
    note(`Looking after the services of ${embedded ? `${name} (${client.server})` : name}. Press Ctrl+C to stop.`);
    // Pods have addresses that can be reached from within the cluster, and from this machine when it is the cluster.
    const inside = embedded || inClusterConfig()?.server === client.server;
    const running = await startOperator({
      client,
      log: (message) => note(`${new Date().toISOString()} ${printable(message)}`),
      reach: inside ? 'direct' : 'tunnel',
      processes: embedded,
    });
    await stopRequested();
    await running.close();
  });
}
