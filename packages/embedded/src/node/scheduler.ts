import { nodes, pods } from '@skipper/api';
import { createInformer, type KubeClient } from '@skipper/kube';
import type { Pod, PodCondition } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import type { EventRecorder } from '../event-recorder.ts';
import { nodeName } from './node-object.ts';
import { refusalOf } from './scheduling.ts';

/** Gives pods to the only node, or says why it does not take them. */
export interface Scheduler {
  /** @returns whether the pod is the node's now; if not, `retry` is called with it when that may have changed. */
  assign(pod: Pod): Promise<boolean>;
  forget(pod: Pod): void;
  close(): void;
}

export function createScheduler(client: KubeClient, recorder: EventRecorder, retry: (pod: Pod) => void, log: Log): Scheduler {
  const waiting = new Map<string, Pod>();
  const node = createInformer(client, nodes, { fieldSelector: `metadata.name=${nodeName}`, log });
  node.subscribe(() => {
    for (const pod of waiting.values()) retry(pod);
  });

  const refuse = async (pod: Pod, { reason, message }: Pick<PodCondition, 'reason' | 'message'>): Promise<void> => {
    const { name, namespace, uid } = pod.metadata!;
    const { conditions = [] } = pod.status ?? {};
    const before = conditions.find(({ type }) => type === 'PodScheduled');
    if (before?.reason === reason && before?.message === message) return;
    const lastTransitionTime = before?.status === 'False' ? before.lastTransitionTime : new Date().toISOString();
    const condition = { type: 'PodScheduled', status: 'False', lastProbeTime: null, lastTransitionTime, reason, message };
    const status = { conditions: [...conditions.filter(({ type }) => type !== 'PodScheduled'), condition] };
    await client.patch(pods, name!, { metadata: { uid }, status }, { namespace: namespace!, subresource: 'status' });
    if (reason === 'Unschedulable')
      recorder.record({ apiVersion: 'v1', kind: 'Pod', name, namespace, uid }, 'Warning', 'FailedScheduling', message!);
  };

  return {
    async assign(pod) {
      await node.synced();
      const { name, namespace, uid } = pod.metadata!;
      const refusal = refusalOf(pod, node.get(nodeName) ?? { metadata: { name: nodeName } });
      if (refusal) {
        waiting.set(uid!, pod);
        await refuse(pod, refusal);
        return false;
      }
      waiting.delete(uid!);
      await client.patch(pods, name!, { metadata: { uid }, spec: { nodeName } }, { namespace: namespace! });
      const assigned = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
      recorder.record({ apiVersion: 'v1', kind: 'Pod', name, namespace, uid }, 'Normal', 'Scheduled', assigned);
      return true;
    },
    forget: ({ metadata }) => void waiting.delete(metadata!.uid!),
    close: () => node.close(),
  };
}
