import { dirname, join } from 'node:path';
import { hasCode } from '@skipper/api';
import { createImageResolver } from '@skipper/engines';
import { startCluster } from '@skipper/embedded';
import { createClient, loadKubeconfig, resolveCluster } from '@skipper/kube';
import { startOperator } from '@skipper/operator';
import { forgetRunning, limitLog, lockedExitCode, recordRunning } from '../embedded-process.ts';
import { explain } from '../explain.ts';
import { embeddedFolder, enginesFolder } from '../home.ts';
import { stopRequested } from '../stop-requested.ts';

/** The process behind `kip up`: cluster and operator, until stopped. */
export async function runCluster(): Promise<void> {
  const log = (message: string): void => {
    limitLog();
    process.stderr.write(`${new Date().toISOString()} ${message}\n`);
  };
  const stop = stopRequested();
  // What has been started by then must not keep a cluster alive that cannot serve.
  const { cluster, operator, client } = await start(log).catch((error: unknown) => {
    const code = explain(error, true);
    process.exit(hasCode(error, 'locked') ? lockedExitCode : code);
  });
  recordRunning({ server: cluster.server });
  log(`serving ${cluster.server}`);
  await stop;
  log('stopping');
  recordRunning({ server: cluster.server, stopping: true });
  await operator.close();
  client.close();
  await cluster.close();
  forgetRunning();
  log('stopped');
  process.exit(0);
}

/** Only one process at a time can have the data folder, so that after a crash the next one need not wait for the lease to run out. */
const identity = 'embedded-cluster';

/** Beside the bundle that runs. */
const ownProgram = (name: string): string => join(dirname(process.argv[1]!), 'programs', name);

async function start(log: (message: string) => void) {
  const cluster = await startCluster({
    dataDir: embeddedFolder(),
    enginesDir: enginesFolder(),
    images: createImageResolver({ ownProgram }),
    log,
  });
  const client = createClient(resolveCluster(await loadKubeconfig({ files: [cluster.kubeconfigPath] })));
  return { cluster, client, operator: await startOperator({ client, log, identity, processes: true, reach: 'direct' }) };
}
