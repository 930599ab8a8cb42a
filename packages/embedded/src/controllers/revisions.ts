import { hasReason, type KubeClient } from '@skipper/kube';
import { statefulSets } from '@skipper/api';
import type { ControllerRevision, StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { controllerRevisions } from '../kinds.ts';
import { controlledBy, controllerOf } from './owned.ts';
import { revisionLabel } from './stateful-set-pods.ts';

const defaultLimit = 10;

/** Keeps the template of `revision`, newest with the highest number, and forgets the oldest that no pod has. */
export async function recordRevision(client: KubeClient, set: StatefulSet, revision: string, pods: readonly Pod[]): Promise<void> {
  if (set.status?.updateRevision === revision) return;
  const { namespace } = set.metadata!;
  const { items } = await client.list(controllerRevisions, { namespace: namespace! });
  const own = items.filter((item) => controllerOf(item)?.uid === set.metadata!.uid);
  const newest = Math.max(0, ...own.map((item) => item.revision));
  const known = own.find(({ metadata }) => metadata!.name === revision);
  if (!known) {
    await client
      .create(controllerRevisions, {
        metadata: {
          name: revision,
          namespace: namespace!,
          labels: set.spec!.template.metadata?.labels,
          ownerReferences: [controlledBy(set, statefulSets)],
        },
        data: { spec: { template: set.spec!.template } } as ControllerRevision['data'],
        revision: newest + 1,
      })
      .catch((error: unknown) => {
        if (!hasReason(error, 'AlreadyExists')) throw error;
      });
  } else if (known.revision < newest)
    await client.patch(controllerRevisions, revision, { revision: newest + 1 }, { namespace: namespace! });
  const used = new Set([revision, set.status?.currentRevision, ...pods.map(({ metadata }) => metadata!.labels?.[revisionLabel])]);
  const unused = own.filter(({ metadata }) => !used.has(metadata!.name!)).sort((a, b) => b.revision - a.revision);
  for (const { metadata } of unused.slice(set.spec!.revisionHistoryLimit ?? defaultLimit))
    await client.delete(controllerRevisions, metadata!.name!, { namespace: namespace! });
}

/** The template that was kept as `revision`. */
export async function templateOf(client: KubeClient, namespace: string, revision: string): Promise<PodTemplateSpec | undefined> {
  const recorded = await client.find(controllerRevisions, revision, { namespace });
  return (recorded?.data as { spec?: { template?: PodTemplateSpec } } | undefined)?.spec?.template;
}
