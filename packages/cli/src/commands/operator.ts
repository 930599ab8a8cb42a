import { startOperator } from '@skipper/operator';
import { note } from '../output.ts';
import type { GlobalOptions } from '../options.ts';
import { stopRequested } from '../stop-requested.ts';
import { withCluster } from '../target-cluster.ts';

/** `kip operator` */
export async function operator(options: GlobalOptions): Promise<void> {
  await withCluster(options, async ({ client, name }) => {
    note(`Looking after the services of ${name} (${client.server}). Press Ctrl+C to stop.`);
    const running = await startOperator({ client, log: (message) => note(`${new Date().toISOString()} ${message}`) });
    await stopRequested();
    await running.close();
  });
}
