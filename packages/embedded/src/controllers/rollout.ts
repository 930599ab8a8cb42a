import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';

/** How many pods a ReplicaSet should be told to have. */
export interface Scaling {
  set: ReplicaSet;
  replicas: number;
}

const sizeOf = ({ spec }: ReplicaSet): number => spec!.replicas ?? 0;
const availableOf = ({ status }: ReplicaSet): number => status?.availableReplicas ?? 0;
const sum = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number => sets.reduce((total, set) => total + of(set), 0);

/** How many pods may be missing of those that are wanted. */
export function unavailableLimit({ spec }: Deployment): number {
  const wanted = spec!.replicas ?? 1;
  if (spec!.strategy?.type === 'Recreate') return 0;
  const { maxSurge = '25%', maxUnavailable = '25%' } = spec!.strategy?.rollingUpdate ?? {};
  const surge = share(maxSurge, wanted, Math.ceil);
  return Math.min(wanted, share(maxUnavailable, wanted, Math.floor) || (surge === 0 ? 1 : 0));
}

/**
 * The next step of a rolling update, as far as the limits of the strategy allow now: up with the new pods first, else down with the old.
 * What a step leads to shows in the ReplicaSets' status, which leads to the next one.
 * https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
 */
export function nextStep(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Scaling[] {
  const wanted = deployment.spec!.replicas ?? 1;
  const all = [current, ...old];
  if (sizeOf(current) > wanted) return [{ set: current, replicas: wanted }];
  const surge = share(deployment.spec!.strategy?.rollingUpdate?.maxSurge ?? '25%', wanted, Math.ceil);
  const room = Math.min(wanted + surge - sum(all, sizeOf), wanted - sizeOf(current));
  if (room > 0) return [{ set: current, replicas: sizeOf(current) + room }];

  const least = wanted - unavailableLimit(deployment);
  const newUnavailable = sizeOf(current) - Math.min(sizeOf(current), availableOf(current));
  // Counted by what was asked for, not by what is: the status of a set that was just made smaller is late.
  let removable = sum(all, sizeOf) - least - newUnavailable;
  const replicas = new Map(old.map((set) => [set, sizeOf(set)]));
  const take = (set: ReplicaSet, count: number): number => {
    const taken = Math.max(0, Math.min(count, replicas.get(set)!));
    replicas.set(set, replicas.get(set)! - taken);
    return taken;
  };
  // What is not available is missed by nobody.
  for (const set of old) if (removable > 0) removable -= take(set, Math.min(removable, sizeOf(set) - availableOf(set)));
  let spare = Math.min(removable, sum(all, availableOf) - least);
  for (const set of old) if (spare > 0) spare -= take(set, spare);
  return [...replicas].filter(([set, size]) => size !== sizeOf(set)).map(([set, size]) => ({ set, replicas: size }));
}

/** A number, or a share of `whole`. */
function share(amount: number | string, whole: number, round: (value: number) => number): number {
  return typeof amount === 'string' && amount.endsWith('%') ? round((Number(amount.slice(0, -1)) / 100) * whole) : Number(amount);
}
