import { join } from 'node:path';
import type { ImageResolver } from '@skipper/api';
import type { Container, Pod } from 'kubernetes-types/core/v1.d.ts';
import { accountOf } from './accounts.ts';
import { hostEnvironment, isHostProcess, refuseMounts } from './host-process.ts';
import type { Owner } from './ownership.ts';
import type { PrivateHosts } from './private-hosts.ts';
import type { ServiceHosts } from './service-hosts.ts';
import type { HostsBinding } from './supervised-process.ts';

/** What the node has for plain processes of the machine, and nobody else needs. */
export interface HostSupport {
  readonly serviceHosts: ServiceHosts;
  /** How processes get hosts files of their own; why they do not, where that cannot be. */
  privateHosts(): Promise<PrivateHosts | string>;
}

export interface HostContext {
  /** Variables that the container's own come after. */
  base: Record<string, string>;
  hosts: HostsBinding | undefined;
  /** Called with the container's variables. */
  finish(env: Record<string, string>): Promise<Record<string, string>>;
}

export const hostsFileOf = (podFolder: string): string => join(podFolder, 'hosts');

const nothing: HostContext = { base: {}, hosts: undefined, finish: async (env) => env };

/**
 * What a container gets because it is a process of the machine. @param warn is told what a person has to know.
 * @throws ContainerError for a container that asks for what a process cannot have.
 */
export async function hostContext(
  container: Container,
  {
    pod,
    podIP,
    folder,
    owner,
    images,
    support,
    warn,
  }: {
    pod: Pod;
    podIP: string;
    /** The pod's own. */
    folder: string;
    owner: Owner;
    images: ImageResolver;
    support: HostSupport;
    warn(reason: string, message: string): void;
  },
): Promise<HostContext> {
  if (!isHostProcess(container, images)) return nothing;
  refuseMounts(pod, container);
  const base = hostEnvironment(container, { podIP, account: accountOf(owner.uid), scratch: join(folder, 'root', container.name) });
  const way = await support.privateHosts();
  if (typeof way !== 'string') {
    const file = hostsFileOf(folder);
    await support.serviceHosts.open(file, pod.metadata!.namespace!, pod.spec?.hostAliases);
    return { base, hosts: { file, way }, finish: nothing.finish };
  }
  warn(
    'ServiceNamesUnresolved',
    `Names of Services do not resolve in this process (${way}). Where its variables hold full ones, such as db.default.svc.cluster.local, they hold addresses instead, as of its start.`,
  );
  return {
    base,
    hosts: undefined,
    finish: async (env) =>
      Object.fromEntries(
        await Promise.all(
          Object.entries(env).map(async ([name, value]) => [name, await support.serviceHosts.withAddresses(value)] as const),
        ),
      ),
  };
}
