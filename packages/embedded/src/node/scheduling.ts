import type { Node, NodeSelectorTerm, Pod, PodCondition } from 'kubernetes-types/core/v1.d.ts';

type Requirement = NonNullable<NodeSelectorTerm['matchExpressions']>[number];

/**
 * Why the only node does not take a pod, in the scheduler's words; `undefined` when it does. Knows selectors, required affinity to the
 * node, scheduling gates and cordons; amounts, taints and affinity between pods have no effect.
 */
export function refusalOf({ spec }: Pod, node: Node): Pick<PodCondition, 'reason' | 'message'> | undefined {
  // Since Kubernetes 1.27; the types are older.
  const { schedulingGates = [] } = spec as { schedulingGates?: unknown[] };
  if (schedulingGates.length > 0) return { reason: 'SchedulingGated', message: 'Scheduling is blocked due to non-empty scheduling gates' };
  if (node.spec?.unschedulable && !spec?.tolerations?.some(toleratesCordon)) return unschedulable('1 node(s) were unschedulable');
  return admits(spec, node) ? undefined : unschedulable("1 node(s) didn't match Pod's node affinity/selector");
}

function unschedulable(why: string): Pick<PodCondition, 'reason' | 'message'> {
  return {
    reason: 'Unschedulable',
    message: `0/1 nodes are available: ${why}. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.`,
  };
}

function toleratesCordon({ key, operator, effect }: { key?: string; operator?: string; effect?: string }): boolean {
  const isMeant = key === 'node.kubernetes.io/unschedulable' || (key === undefined && operator === 'Exists');
  return isMeant && (effect === undefined || effect === 'NoSchedule');
}

function admits(spec: Pod['spec'], { metadata }: Node): boolean {
  const labels = metadata?.labels ?? {};
  for (const [key, value] of Object.entries(spec?.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return !terms || terms.some((term) => fitsTerm(term, labels, { 'metadata.name': metadata?.name ?? '' }));
}

/** An empty term fits nothing. */
function fitsTerm(
  { matchExpressions = [], matchFields = [] }: NodeSelectorTerm,
  labels: Record<string, string>,
  fields: Record<string, string>,
): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => holds(requirement, labels)) && matchFields.every((requirement) => holds(requirement, fields))
  );
}

function holds({ key, operator, values = [] }: Requirement, found: Record<string, string>): boolean {
  const value = Object.hasOwn(found, key) ? found[key]! : undefined;
  switch (operator) {
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
