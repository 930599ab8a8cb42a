import { join } from 'node:path';
import { pods } from '@skipper/api';
import { createInformer, type KubeClient } from '@skipper/kube';
import type { Log } from '../contracts.ts';
import { startClaimController } from './claims.ts';
import { startDeploymentController } from './deployments.ts';
import { startEventExpiry } from './event-expiry.ts';
import { startReplicaSetController } from './replica-sets.ts';
import { startServiceAccountController } from './service-accounts.ts';
import { startEndpointsController } from './service-endpoints.ts';
import { startStatefulSetController } from './stateful-sets.ts';

interface ControllerOptions {
  /** Claims become folders below it. */
  dataDir: string;
  log: Log;
}

interface Controllers {
  close(): Promise<void>;
}

/**
 * Starts every controller of the cluster. The lifecycle of namespaces and the garbage collection of owned objects are the API server's
 * own.
 */
export function startControllers(client: KubeClient, { dataDir, log }: ControllerOptions): Controllers {
  const podInformer = createInformer(client, pods, { log });
  const controllers = [
    startClaimController(client, podInformer, join(dataDir, 'volumes'), log),
    startStatefulSetController(client, podInformer, log),
    startReplicaSetController(client, podInformer, log),
    startDeploymentController(client, podInformer, log),
    startEndpointsController(client, podInformer, log),
    startServiceAccountController(client, log),
    startEventExpiry(client, log),
  ];
  return {
    async close() {
      podInformer.close();
      await Promise.all(controllers.map((controller) => controller.close()));
    },
  };
}
