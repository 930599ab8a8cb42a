import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { namespaces } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import { fieldManager } from './apply.ts';
import type { Reach } from './app/bindings/access.ts';
import { startAppController } from './app/controller.ts';
import { closeCaches, openCaches, type Caches } from './caches.ts';
import { applyCrds } from './crds/apply-crds.ts';
import { EventRecorder } from './event-recorder.ts';
import { systemNamespace } from './images.ts';
import { takePartInElection } from './leader-election.ts';
import { startStatefulServiceController } from './stateful-service/controller.ts';

export interface OperatorOptions {
  client: KubeClient;
  log(message: string): void;
  /** Names this operator in the election. Default: made from the host's name. */
  identity?: string;
  /** Whether to share the work with other operators on the cluster, one acting at a time. Default true. */
  leaderElection?: boolean;
  /** Whether the cluster runs the commands of apps without an image, as the embedded one does. Default false. */
  processes?: boolean;
  /** How it gets to engines: at their pods' addresses, as in the cluster, or through the API server. Default `tunnel`. */
  reach?: Reach;
  /** How often the account of a binding that is ready is logged in with, in ms. Default a minute. */
  verifyBindingsEveryMs?: number;
}

/** Installs the kinds and looks after every service and app of the cluster until closed. Resolves when it takes part; it may not lead yet. */
export async function startOperator({
  client,
  log,
  identity = defaultIdentity(),
  leaderElection = true,
  processes = false,
  reach = 'tunnel',
  verifyBindingsEveryMs,
}: OperatorOptions): Promise<{ close(): Promise<void> }> {
  const { serverMinor } = await applyCrds(client, log);
  const recorder = new EventRecorder(client, fieldManager, log);
  let controllers: { close(): Promise<void> }[] = [];
  let caches: Caches | undefined;
  const start = async () => {
    caches = openCaches(client, log);
    const context = { client, caches, recorder, log, now: () => new Date(), serverMinor, processes };
    controllers = [startStatefulServiceController(context), startAppController(context, { reach, verifyBindingsEveryMs })];
  };
  const stop = async () => {
    await Promise.all(controllers.splice(0).map((controller) => controller.close()));
    if (caches) closeCaches(caches);
  };
  if (!leaderElection) {
    await start();
    return { close: stop };
  }
  await ensureSystemNamespace(client);
  // One place for all, wherever they run: two leases would be two leaders.
  return takePartInElection({ client, namespace: systemNamespace, name: fieldManager, identity, log, onElected: start, onDeposed: stop });
}

async function ensureSystemNamespace(client: KubeClient): Promise<void> {
  try {
    if (await client.find(namespaces, systemNamespace)) return;
    await client.create(namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: systemNamespace, labels: { 'skipper.dev/operator': 'true' } },
    });
  } catch (error) {
    // An operator that may not touch namespaces runs where an administrator has made it.
    if (!hasReason(error, 'AlreadyExists', 'Forbidden')) throw error;
  }
}

function defaultIdentity(): string {
  return `${hostname()}-${randomBytes(4).toString('hex')}`;
}
