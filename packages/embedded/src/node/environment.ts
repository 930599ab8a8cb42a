import { configMaps } from '../kinds.ts';
import { secrets } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import type { Container, EnvVar, Pod } from 'kubernetes-types/core/v1.d.ts';

/** A container cannot start until something about its pod is mended; `reason` is the waiting state's. */
export class ContainerError extends Error {
  override readonly name = 'ContainerError';
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Secrets and config maps by name, each fetched once for one start of a container. */
export interface References {
  secret(name: string): Promise<Record<string, string> | undefined>;
  configMap(name: string): Promise<Record<string, string> | undefined>;
}

/** @returns decoded values: text as UTF-8, since variables are text. */
export function referencesOf(client: KubeClient, namespace: string): References {
  const cached = <T>(fetch: (name: string) => Promise<T>): ((name: string) => Promise<T>) => {
    const known = new Map<string, Promise<T>>();
    return (name) => {
      const found = known.get(name) ?? fetch(name);
      known.set(name, found);
      return found;
    };
  };
  return {
    secret: cached(async (name) => {
      const object = await client.find(secrets, name, { namespace });
      return object && Object.fromEntries(Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
    }),
    configMap: cached(async (name) => (await client.find(configMaps, name, { namespace }))?.data ?? undefined),
  };
}

/** The variables of a container, references resolved. @throws ContainerError for a reference to what does not exist. */
export async function environmentOf(pod: Pod, podIP: string, container: Container, references: References): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const { prefix = '', secretRef, configMapRef } of container.envFrom ?? []) {
    const source = secretRef ?? configMapRef;
    if (!source?.name) continue;
    const values = secretRef ? await references.secret(source.name) : await references.configMap(source.name);
    if (!values && !source.optional) throw missing(secretRef ? 'secret' : 'configmap', source.name);
    for (const [key, value] of Object.entries(values ?? {})) env[prefix + key] = value;
  }
  for (const variable of container.env ?? []) {
    const value = await valueOf(variable, pod, podIP, references);
    if (value !== undefined) env[variable.name] = variable.value === undefined ? value : expand(value, env);
  }
  return env;
}

async function valueOf({ value, valueFrom }: EnvVar, pod: Pod, podIP: string, references: References): Promise<string | undefined> {
  if (!valueFrom) return value ?? '';
  const { secretKeyRef, configMapKeyRef, fieldRef } = valueFrom;
  if (fieldRef) return fieldOf(pod, podIP, fieldRef.fieldPath);
  const reference = secretKeyRef ?? configMapKeyRef;
  if (!reference?.name) throw new ContainerError('CreateContainerConfigError', 'this kind of valueFrom is not supported here');
  const kind = secretKeyRef ? 'secret' : 'configmap';
  const values = secretKeyRef ? await references.secret(reference.name) : await references.configMap(reference.name);
  const found = values?.[reference.key];
  if (found === undefined && !reference.optional) {
    throw values ? new ContainerError('CreateContainerConfigError', `couldn't find key ${reference.key} in ${kind} "${reference.name}"`) : missing(kind, reference.name);
  }
  return found;
}

function missing(kind: string, name: string): ContainerError {
  return new ContainerError('CreateContainerConfigError', `${kind} "${name}" not found`);
}

function fieldOf(pod: Pod, podIP: string, path: string): string {
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (keyed) return pod.metadata?.[keyed[1] as 'labels' | 'annotations']?.[keyed[2]!] ?? '';
  switch (path) {
    case 'metadata.name': return pod.metadata?.name ?? '';
    case 'metadata.namespace': return pod.metadata?.namespace ?? '';
    case 'metadata.uid': return pod.metadata?.uid ?? '';
    case 'spec.nodeName': return pod.spec?.nodeName ?? '';
    case 'spec.serviceAccountName': return pod.spec?.serviceAccountName ?? 'default';
    case 'status.podIP': case 'status.podIPs': return podIP;
    case 'status.hostIP': return '127.0.0.1';
    default: throw new ContainerError('CreateContainerConfigError', `field ${path} is not supported here`);
  }
}

/** `$(NAME)` becomes the variable's value, `$$` a dollar sign; an unknown name stays as it is. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([-._a-zA-Z0-9]+)\)/g, (all, name?: string) => (name === undefined ? '$' : (env[name] ?? all)));
}
