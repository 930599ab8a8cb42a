import { isDeepStrictEqual } from 'node:util';
import { services } from '@skipper/api';
import { createInformer, hasReason, type Informer, type KubeClient } from '@skipper/kube';
import type { Endpoints, Pod, Service } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import { endpoints } from '../kinds.ts';
import { fits } from './owned.ts';
import { isFinished, isGoing, isReady } from './pods.ts';
import { createWorkQueue, type WorkQueue } from '../work-queue.ts';

/** Keeps the Endpoints of Services that select pods. */
export function startEndpointsController(client: KubeClient, podInformer: Informer<Pod>, log: Log): WorkQueue {
  const all = createInformer(client, services, { log });
  const queue = createWorkQueue(reconcile, (key, error) => {
    if (!hasReason(error, 'Conflict', 'NotFound')) log(`endpoints ${key}: ${error.message}`);
  });
  const keyOf = ({ metadata }: Service): string => `${metadata!.namespace}/${metadata!.name}`;
  all.subscribe(({ object }) => queue.add(keyOf(object)));
  podInformer.subscribe(({ type, object, old }) => {
    if (
      type === 'MODIFIED' &&
      old &&
      isGoing(old) === isGoing(object) &&
      isFinished(old) === isFinished(object) &&
      isReady(old) === isReady(object) &&
      old.status?.podIP === object.status?.podIP &&
      isDeepStrictEqual(old.metadata!.labels, object.metadata!.labels)
    )
      return;
    for (const service of all.list(object.metadata!.namespace)) {
      const selector = { matchLabels: service.spec?.selector ?? {} };
      if (fits(selector, object.metadata!.labels) || fits(selector, old?.metadata!.labels)) queue.add(keyOf(service));
    }
  });

  async function reconcile(key: string): Promise<void> {
    await Promise.all([all.synced(), podInformer.synced()]);
    const [namespace, name] = key.split('/') as [string, string];
    const service = all.get(name, namespace);
    if (!service) {
      await client.delete(endpoints, name, { namespace });
      return;
    }
    if (service.metadata!.deletionTimestamp || !service.spec?.selector) return;
    const wanted = subsetsOf(service, podInformer.list(namespace));
    const current = await client.find(endpoints, name, { namespace });
    if (!current) await client.create(endpoints, { metadata: { name, namespace, labels: service.metadata!.labels }, subsets: wanted });
    else if (!isDeepStrictEqual(current.subsets ?? [], wanted))
      await client.patch(endpoints, name, { subsets: wanted.length > 0 ? wanted : null }, { namespace });
  }

  return {
    ...queue,
    async close() {
      all.close();
      await queue.close();
    },
  };
}

function subsetsOf({ spec }: Service, pods: readonly Pod[]): NonNullable<Endpoints['subsets']> {
  const chosen = pods.filter(
    (pod) => fits({ matchLabels: spec!.selector! }, pod.metadata!.labels) && pod.status?.podIP && !isFinished(pod) && !isGoing(pod),
  );
  const addressOf = (pod: Pod): object => ({
    ip: pod.status!.podIP!,
    nodeName: pod.spec!.nodeName,
    targetRef: { kind: 'Pod', namespace: pod.metadata!.namespace, name: pod.metadata!.name, uid: pod.metadata!.uid },
    ...(pod.spec!.hostname && pod.spec!.subdomain ? { hostname: pod.spec!.hostname } : {}),
  });
  const ready = chosen.filter((pod) => isReady(pod) || spec!.publishNotReadyAddresses);
  const unready = chosen.filter((pod) => !ready.includes(pod));
  if (chosen.length === 0) return [];
  const ports = (spec!.ports ?? []).map(({ name, port, targetPort, protocol }) => ({
    ...(name ? { name } : {}),
    port: portOf(chosen, targetPort ?? port),
    protocol: protocol ?? 'TCP',
  }));
  const subset = {
    ...(ready.length > 0 ? { addresses: ready.map(addressOf) } : {}),
    ...(unready.length > 0 ? { notReadyAddresses: unready.map(addressOf) } : {}),
    ports,
  };
  return [JSON.parse(JSON.stringify(subset)) as NonNullable<Endpoints['subsets']>[number]];
}

function portOf(pods: readonly Pod[], target: number | string): number {
  if (typeof target === 'number') return target;
  for (const { spec } of pods)
    for (const { ports = [] } of spec!.containers) for (const port of ports) if (port.name === target) return port.containerPort;
  return 0;
}
