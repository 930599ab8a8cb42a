import { cpus, totalmem } from 'node:os';
import { parseQuantity } from '@skipper/api';
import type { Container, Pod, ResourceFieldSelector } from 'kubernetes-types/core/v1.d.ts';
import { ContainerError } from './container-error.ts';

/** The value of a `fieldRef`. @throws ContainerError for a field that cannot be referred to. */
export function fieldOf(pod: Pod, podIP: string, path: string): string {
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (keyed) return pod.metadata?.[keyed[1] as 'labels' | 'annotations']?.[keyed[2]!] ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.metadata?.name ?? '';
    case 'metadata.namespace':
      return pod.metadata?.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata?.uid ?? '';
    case 'metadata.labels':
      return lines(pod.metadata?.labels);
    case 'metadata.annotations':
      return lines(pod.metadata?.annotations);
    case 'spec.nodeName':
      return pod.spec?.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? 'default';
    case 'status.podIP':
    case 'status.podIPs':
      return podIP;
    case 'status.hostIP':
    case 'status.hostIPs':
      return '127.0.0.1';
    default:
      throw new ContainerError('CreateContainerConfigError', `field ${path} is not supported here`);
  }
}

function lines(values: Record<string, string> = {}): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

const nanos = 1_000_000_000n;

/**
 * The value of a `resourceFieldRef`, rounded up in units of its divisor; what is not limited is the machine's.
 * @throws ContainerError for a resource that is not known here.
 */
export function resourceFieldOf(pod: Pod, container: Container, { containerName, resource, divisor }: ResourceFieldSelector): string {
  const [amounts, name = ''] = resource.split('.') as ['limits' | 'requests', string];
  const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const of = containerName === undefined ? container : all.find((other) => other.name === containerName);
  const machine: Record<string, bigint> = {
    cpu: BigInt(cpus().length) * nanos,
    memory: BigInt(totalmem()) * nanos,
    'ephemeral-storage': 0n,
  };
  const given = of?.resources?.[amounts]?.[name] ?? (amounts === 'requests' ? undefined : machine[name] === undefined ? undefined : null);
  const value = given === undefined ? (name in machine ? 0n : undefined) : given === null ? machine[name] : parseQuantity(String(given));
  const unit = parseQuantity(String(divisor ?? '1')) || nanos;
  if (!of || value === undefined) throw new ContainerError('CreateContainerConfigError', `resource ${resource} is not supported here`);
  return String((value + unit - 1n) / unit);
}
