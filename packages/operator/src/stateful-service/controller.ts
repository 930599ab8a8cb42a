import {
  labels,
  managedBy,
  networkPolicies,
  persistentVolumeClaims,
  pods,
  secrets,
  services,
  statefulServices,
  statefulSets,
  type KubeObject,
  type ResourceType,
} from '@skipper/api';
import { createInformer, type Informer, type KubeClient } from '@skipper/kube';
import type { EventRecorder } from '../event-recorder.ts';
import { WorkQueue } from '../work-queue.ts';
import { reconcileStatefulService } from './reconcile.ts';

export interface ControllerOptions {
  client: KubeClient;
  recorder: EventRecorder;
  log(message: string): void;
}

/** Services worked on at once: what waits for a slow API call holds up nobody else. */
const concurrency = 4;

/** Watches services and what was made for them, and reconciles each that changed, until closed. */
export function startStatefulServiceController({ client, recorder, log }: ControllerOptions): { close(): Promise<void> } {
  const ours = `${labels.managedBy}=${managedBy}`;
  const watchOurs = <T extends KubeObject>(type: ResourceType<T>): Informer<T> =>
    createInformer(client, type, { labelSelector: ours, log });
  const wanted = createInformer(client, statefulServices, { log });
  const caches = {
    statefulSets: watchOurs(statefulSets),
    services: watchOurs(services),
    networkPolicies: watchOurs(networkPolicies),
    claims: watchOurs(persistentVolumeClaims),
    secrets: watchOurs(secrets),
    pods: watchOurs(pods),
  };
  const informers: Informer<KubeObject>[] = [wanted, ...Object.values(caches)] as Informer<KubeObject>[];
  const context = { client, statefulServices: wanted, caches, recorder, now: () => new Date() };
  const queue = new WorkQueue({
    concurrency,
    process: (key) => {
      const [namespace = '', name = ''] = key.split('/');
      return reconcileStatefulService(context, namespace, name);
    },
    onError: (key, error, retryInMs) => log(`service ${key}: ${(error as Error).message}; trying again in ${retryInMs} ms`),
  });

  const stop = new AbortController();
  void Promise.all(informers.map((informer) => informer.synced(stop.signal))).then(
    () => {
      const add = (object: KubeObject, name = object.metadata?.name) => queue.add(`${object.metadata?.namespace}/${name}`);
      wanted.subscribe(({ object }) => add(object));
      for (const cache of Object.values(caches) as Informer<KubeObject>[]) {
        cache.subscribe(({ object }) => {
          const name = object.metadata?.labels?.[labels.service];
          if (name) add(object, name);
        });
      }
      for (const service of wanted.list()) add(service);
    },
    () => undefined,
  );

  return {
    async close() {
      stop.abort();
      await queue.close();
      for (const informer of informers) informer.close();
    },
  };
}
