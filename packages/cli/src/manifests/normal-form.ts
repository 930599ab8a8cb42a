import { annotations, apiVersionOf, apps, statefulServices, type App, type KubeObject, type StatefulService } from '@skipper/api';

export type Managed = StatefulService | App;

/** In this order, and what is not named after them by the alphabet. */
const order = ['apiVersion', 'kind', 'metadata', 'spec', 'name', 'namespace', 'service', 'type', 'version', 'image', 'command', 'args'];

/**
 * Written by machines: meant for the object that has them and no other. Of our own only those: `skipper.dev/<type>-<option>` is what a user
 * asks of an engine.
 */
const isOfMachines = (key: string): boolean =>
  /^(kubectl|deployment)\.kubernetes\.io\//.test(key) || (Object.values(annotations) as string[]).includes(key);

/** What the API server fills in by itself. */
const defaults: Record<string, unknown> = { replicas: 1 };

/** An object as a person would have written it: no status, nothing that a server or machine wrote, always in the same order. */
export function normalForm(object: Managed, { namespace }: { namespace: boolean }): Managed {
  const type = object.kind === apps.kind ? apps : statefulServices;
  const { metadata = {}, spec } = object;
  const labels = byPeople(metadata.labels);
  const notes = byPeople(metadata.annotations);
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    metadata: {
      name: metadata.name!,
      ...(namespace && metadata.namespace !== undefined ? { namespace: metadata.namespace } : {}),
      ...(labels && { labels }),
      ...(notes && { annotations: notes }),
    },
    spec: inOrder(Object.fromEntries(Object.entries(spec).filter(([key, value]) => value !== defaults[key]))),
  } as Managed;
}

function byPeople(entries: Record<string, string> | undefined): Record<string, string> | undefined {
  const kept = Object.entries(entries ?? {}).filter(([key]) => !isOfMachines(key));
  return kept.length > 0 ? Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))) : undefined;
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const rank = (key: string): number => (order.indexOf(key) + order.length + 1) % (order.length + 1);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1))
      .map(([key, inner]) => [key, inOrder(inner)]),
  );
}

/** Services before the apps that are bound to them, each kind by name. */
export function inApplyOrder<T extends KubeObject>(objects: readonly T[]): T[] {
  const key = ({ kind, metadata }: T): string => `${kind === apps.kind ? 1 : 0} ${metadata?.namespace ?? ''} ${metadata?.name ?? ''}`;
  return [...objects].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Paths at which two objects differ, as deep as `spec.image`. */
export function differences(before: Managed, after: Managed): string[] {
  const flat = ({ metadata, spec }: Managed): Record<string, unknown> => ({
    'metadata.labels': metadata?.labels,
    'metadata.annotations': metadata?.annotations,
    ...Object.fromEntries(Object.entries(spec).map(([key, value]) => [`spec.${key}`, value])),
  });
  const [old, now] = [flat(before), flat(after)];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((path) => JSON.stringify(old[path]) !== JSON.stringify(now[path]))
    .sort();
}
