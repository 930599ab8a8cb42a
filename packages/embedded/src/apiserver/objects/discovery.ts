import { apiVersionOf } from '@skipper/api';
import type { KindDefinition, ResourceRegistry } from '../../contracts.ts';

const everyVerb = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const podSubresources = [
  { name: 'attach', kind: 'PodAttachOptions', verbs: [] },
  { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
  { name: 'exec', kind: 'PodExecOptions', verbs: ['create', 'get'] },
  { name: 'log', kind: 'Pod', verbs: ['get'] },
  { name: 'portforward', kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
].filter(({ verbs }) => verbs.length > 0);

function groupVersions(registry: ResourceRegistry): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { type } of registry.all()) {
    const versions = groups.get(type.group) ?? [];
    if (!versions.includes(type.version)) versions.push(type.version);
    groups.set(type.group, versions);
  }
  return groups;
}

function groupOf(name: string, versions: readonly string[]): object {
  const named = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: named, preferredVersion: named[0] };
}

function resourcesOf(kind: KindDefinition): object[] {
  const { plural, namespaced, kind: name } = kind.type;
  const { shortNames, categories, singular } = kind;
  const own = {
    name: plural,
    singularName: singular,
    namespaced,
    kind: name,
    verbs: kind.verbs ?? everyVerb,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
  };
  const sub = (subresource: string, subKind: string, verbs: readonly string[], extra: object = {}): object => ({
    name: `${plural}/${subresource}`,
    singularName: '',
    namespaced,
    kind: subKind,
    verbs,
    ...extra,
  });
  const resources: object[] = [own];
  if (kind.status) resources.push(sub('status', name, ['get', 'patch', 'update']));
  if (kind.storage === 'core/namespaces') resources.push(sub('finalize', name, ['update']));
  if (kind.scale) resources.push(sub('scale', 'Scale', ['get', 'patch', 'update'], { group: 'autoscaling', version: 'v1' }));
  if (kind.storage === 'core/pods')
    resources.push(
      ...podSubresources.map(({ name: subresource, kind: subKind, verbs, ...extra }) => sub(subresource, subKind, verbs, extra)),
    );
  return resources;
}

/** The answer to a path that lists what is served; undefined when it is none. */
export function discoveryOf(path: string, registry: ResourceRegistry, server: string): object | undefined {
  if (path === '/api')
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: server }] };
  const groups = groupVersions(registry);
  if (path === '/apis')
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: [...groups].filter(([name]) => name).map(([name, versions]) => groupOf(name, versions)),
    };
  const match = /^\/apis\/([^/]+)$/.exec(path);
  if (match) {
    const versions = groups.get(match[1]!);
    return versions && { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(match[1]!, versions) };
  }
  const groupVersion = /^\/api\/(v1)$/.exec(path)?.[1] ?? /^\/apis\/([^/]+\/[^/]+)$/.exec(path)?.[1];
  const kinds = registry.all().filter(({ type }) => apiVersionOf(type) === groupVersion);
  if (kinds.length === 0) return undefined;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: kinds.flatMap(resourcesOf) };
}
