import {
  apiVersionOf,
  apps,
  hasCode,
  KipError,
  requireAppName,
  requirePositiveQuantity,
  requireServiceName,
  serviceTypes,
  statefulServices,
  type AppSpec,
  type StatefulServiceSpec,
} from '@skipper/api';
import { engineOf } from '@skipper/engines';
import { crds } from '@skipper/operator';
import type { Manifest } from './read.ts';
import type { Managed } from './normal-form.ts';
import { unknownFields } from './unknown-fields.ts';

/**
 * What is wrong with manifests as far as it can be known without a cluster.
 * @param namespace of those that name none.
 * @returns the objects, each in its namespace.
 * @throws KipError `usage` that lists every problem.
 */
export function checked(manifests: readonly Manifest[], namespace: string): Managed[] {
  const problems: string[] = [];
  const seen = new Map<string, string>();
  const objects = manifests.flatMap(({ object, source }) => {
    const found = problemsOf(object);
    problems.push(...found.map((problem) => `${source}: ${problem}`));
    if (found.length > 0) return [];
    const metadata = { ...object.metadata, namespace: object.metadata?.namespace ?? namespace };
    const key = `${object.kind} "${metadata.name}" in namespace "${metadata.namespace}"`;
    if (seen.has(key)) problems.push(`${source}: ${key} stands in ${seen.get(key)} too.`);
    seen.set(key, source);
    return [{ ...object, metadata } as Managed];
  });
  refuse(problems);
  return objects;
}

/** @throws KipError `usage` when there are problems. */
export function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return;
  const many = problems.length > 1 ? `${problems.length} things are wrong` : 'Something is wrong';
  throw new KipError('usage', `${many}:\n  ${problems.join('\n  ')}`, { hint: 'Nothing was applied.' });
}

function problemsOf({ apiVersion, kind, metadata, spec }: Manifest['object']): string[] {
  const type = [statefulServices, apps].find((known) => known.kind === kind && apiVersionOf(known) === apiVersion);
  if (!type)
    return [
      `${kind ?? 'no kind'} of ${apiVersion ?? 'no apiVersion'} is not applied by kip, only ${statefulServices.kind} and ${apps.kind} of ${apiVersionOf(apps)} are.`,
    ];
  const name: unknown = metadata?.name;
  if (typeof name !== 'string') return [`the ${kind} has no metadata.name.`];
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return [`${kind} "${name}" has no spec.`];
  const schema = crds.find((crd) => crd.spec.names.kind === kind)?.spec.versions[0]?.schema?.openAPIV3Schema?.properties?.['spec'];
  const found = schema ? unknownFields(spec, schema, 'spec') : [];
  found.push(...refusals(() => (type === apps ? requireAppName(name) : requireServiceName(name))));
  if (type === apps) found.push(...appProblems(spec as AppSpec));
  else found.push(...serviceProblems(spec as StatefulServiceSpec));
  return found.map((problem) => `${kind} "${name}": ${problem}`);
}

function serviceProblems({ type, version, storage }: StatefulServiceSpec): string[] {
  if (!serviceTypes.includes(type)) return [`"${String(type)}" is no type of service; choose one of ${serviceTypes.join(', ')}.`];
  return refusals(() => {
    const refused = version === undefined ? undefined : engineOf(type).refuses(String(version));
    if (refused) throw new KipError('usage', refused);
    if (storage !== undefined) requirePositiveQuantity('spec.storage', String(storage), '5Gi');
  });
}

function appProblems({ env, bindings }: AppSpec): string[] {
  return [...twice('spec.env', env, 'name'), ...twice('spec.bindings', bindings, 'service')];
}

function twice(path: string, list: unknown, key: string): string[] {
  if (!Array.isArray(list)) return [];
  const values = list.map((item: Record<string, unknown> | null) => item?.[key]);
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))].map(
    (value) => `${path} has "${String(value)}" twice.`,
  );
}

/** What `require` complains of. */
function refusals(require: () => void): string[] {
  try {
    require();
    return [];
  } catch (error) {
    if (!hasCode(error, 'usage')) throw error;
    return [`${error.message}${error.hint ? ` ${error.hint}` : ''}`];
  }
}
