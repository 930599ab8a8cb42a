import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { statefulSets } from '@skipper/api';
import { controlledBy } from './owned.ts';

export const revisionLabel = 'controller-revision-hash';

/** The number of a pod in its set, or of a claim by its pod's; -1 for a name without one. */
export function ordinalOf({ metadata }: Pod | PersistentVolumeClaim): number {
  return Number(/-(\d+)$/.exec(metadata!.name!)?.[1] ?? -1);
}

export function podNameOf(set: StatefulSet, ordinal: number): string {
  return `${set.metadata!.name}-${ordinal}`;
}

/** The first number and how many. */
export function ordinalsOf({ spec }: StatefulSet): { first: number; count: number } {
  // Since Kubernetes 1.27; the types are older.
  const { ordinals, replicas = 1 } = spec as { ordinals?: { start?: number }; replicas?: number };
  return { first: ordinals?.start ?? 0, count: replicas };
}

export function podOf(set: StatefulSet, template: PodTemplateSpec, ordinal: number, revision: string): Pod {
  const name = podNameOf(set, ordinal);
  const { volumeClaimTemplates = [], serviceName } = set.spec!;
  const claimed = new Set(volumeClaimTemplates.map(({ metadata }) => metadata!.name!));
  const volumes = [
    ...(template.spec?.volumes ?? []).filter((volume) => !claimed.has(volume.name)),
    ...[...claimed].map((volume) => ({ name: volume, persistentVolumeClaim: { claimName: `${volume}-${name}` } })),
  ];
  return {
    metadata: {
      name,
      namespace: set.metadata!.namespace!,
      annotations: template.metadata?.annotations,
      ownerReferences: [controlledBy(set, statefulSets)],
      labels: {
        ...template.metadata?.labels,
        [revisionLabel]: revision,
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(ordinal),
      },
    },
    spec: { ...template.spec!, hostname: name, subdomain: serviceName, volumes },
  };
}
