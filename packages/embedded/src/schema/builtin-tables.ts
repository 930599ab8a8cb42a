import type { ApiObject } from '../contracts.ts';
import { aged, count, named, text, wide, type Column } from './columns.ts';
import { age } from './durations.ts';
import { podColumns } from './pod-table.ts';

const none = '<none>';
const unset = '<unset>';
const orNone = (value: unknown): unknown => (value === undefined || value === null || value === '' ? none : value);
const size = (value: unknown): number => Object.keys(value ?? {}).length;

function labels(map: Record<string, string> | undefined): string {
  const pairs = Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? none : pairs.join(',');
}

function selector(value: any): string {
  const parts = Object.entries(value?.matchLabels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, label]) => `${key}=${String(label)}`);
  for (const { key, operator, values } of value?.matchExpressions ?? []) {
    if (operator === 'Exists') parts.push(key);
    else if (operator === 'DoesNotExist') parts.push(`!${key}`);
    else parts.push(`${key} ${operator === 'In' ? 'in' : 'notin'} (${(values ?? []).join(',')})`);
  }
  return parts.length === 0 ? none : parts.join(',');
}

const containers = (spec: any, field: 'name' | 'image'): string =>
  (spec?.containers ?? []).map((container: any) => container[field]).join(',');
const workloadWide = [
  wide('Containers', ({ spec }) => containers(spec.template?.spec, 'name')),
  wide('Images', ({ spec }) => containers(spec.template?.spec, 'image')),
];
const selectorColumn = wide('Selector', ({ spec }) => selector(spec.selector));

function servicePorts(spec: any): string {
  const ports = (spec.ports ?? []).map(({ port, nodePort, protocol }: any) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`);
  return ports.length === 0 ? none : ports.join(',');
}

function externalAddress({ spec, status }: ApiObject): string {
  const external: string[] = spec.externalIPs ?? [];
  if (spec.type === 'ExternalName') return spec.externalName;
  if (spec.type !== 'LoadBalancer') return external.length === 0 ? none : external.join(',');
  const addresses = [...(status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }: any) => ip ?? hostname), ...external];
  return addresses.length === 0 ? '<pending>' : addresses.join(',');
}

function endpointAddresses(subsets: any[] | undefined): string {
  const all = (subsets ?? []).flatMap(({ addresses, ports }) =>
    (addresses ?? []).flatMap(({ ip }: any) => (ports?.length ? ports.map(({ port }: any) => `${ip}:${port}`) : [ip])),
  );
  if (all.length === 0) return none;
  return all.length > 3 ? `${all.slice(0, 3).join(',')} + ${all.length - 3} more...` : all.join(',');
}

function accessModes(modes: string[] | undefined): string {
  const short: Readonly<Record<string, string>> = {
    ReadWriteOnce: 'RWO',
    ReadOnlyMany: 'ROX',
    ReadWriteMany: 'RWX',
    ReadWriteOncePod: 'RWOP',
  };
  return Object.keys(short)
    .filter((mode) => modes?.includes(mode))
    .map((mode) => short[mode])
    .join(',');
}

function claimPhase({ metadata, status }: ApiObject): string {
  return metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '');
}

function nodeStatus({ spec, status }: ApiObject): string {
  const ready = status?.conditions?.find(({ type }: any) => type === 'Ready')?.status;
  const state = ready === undefined ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable ? `${state},SchedulingDisabled` : state;
}

function nodeRoles({ metadata }: ApiObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.keys(metadata.labels ?? {})
    .filter((label) => label.startsWith(prefix))
    .map((label) => label.slice(prefix.length))
    .sort();
  return roles.length === 0 ? none : roles.join(',');
}

const nodeAddress =
  (type: string): Column['cell'] =>
  ({ status }) =>
    orNone(status?.addresses?.find((address: any) => address.type === type)?.address);
const isDefaultClass = ({ metadata }: ApiObject): boolean =>
  metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true';

function subjects(object: ApiObject, kind: string): string {
  return (object['subjects'] ?? [])
    .filter((subject: any) => subject.kind === kind)
    .map(({ namespace, name }: any) => (kind === 'ServiceAccount' ? `${namespace ?? ''}/${name}` : name))
    .join(', ');
}

const binding = [
  named,
  text('Role', ({ roleRef }) => `${roleRef?.kind}/${roleRef?.name}`),
  aged,
  wide('Users', (object) => subjects(object, 'User')),
  wide('Groups', (object) => subjects(object, 'Group')),
  wide('ServiceAccounts', (object) => subjects(object, 'ServiceAccount')),
];
const created: Column = { name: 'Created At', type: 'date', cell: ({ metadata }) => metadata.creationTimestamp };

function eventAge({ firstTimestamp, lastTimestamp, eventTime, count: times, series, metadata }: ApiObject, now: Date): string {
  const first = age(firstTimestamp ?? eventTime ?? metadata.creationTimestamp, now);
  const last = series ? age(series.lastObservedTime, now) : lastTimestamp ? age(lastTimestamp, now) : first;
  const number = series?.count ?? times ?? 0;
  return number > 1 ? `${last} (x${number} over ${first})` : last;
}

/** By group and kind. The columns are those of pkg/printers/internalversion of Kubernetes. */
export const builtinTables: Readonly<Record<string, readonly Column[]>> = {
  '/Pod': podColumns,
  '/Service': [
    named,
    text('Type', ({ spec }) => spec.type),
    text('Cluster-IP', ({ spec }) => orNone(spec.clusterIP)),
    text('External-IP', externalAddress),
    text('Port(s)', ({ spec }) => servicePorts(spec)),
    aged,
    wide('Selector', ({ spec }) => labels(spec.selector)),
  ],
  '/Endpoints': [named, text('Endpoints', ({ subsets }) => endpointAddresses(subsets)), aged],
  '/Secret': [named, text('Type', ({ type }) => type), text('Data', ({ data }) => size(data)), aged],
  '/ConfigMap': [named, text('Data', ({ data, binaryData }) => size(data) + size(binaryData)), aged],
  '/ServiceAccount': [named, count('Secrets', ({ secrets }) => secrets?.length), aged],
  '/Namespace': [named, text('Status', ({ status }) => status?.phase), aged],
  '/Node': [
    named,
    text('Status', nodeStatus),
    text('Roles', nodeRoles),
    aged,
    text('Version', ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''),
    wide('Internal-IP', nodeAddress('InternalIP')),
    wide('External-IP', nodeAddress('ExternalIP')),
    wide('OS-Image', ({ status }) => status?.nodeInfo?.osImage || '<unknown>'),
    wide('Kernel-Version', ({ status }) => status?.nodeInfo?.kernelVersion || '<unknown>'),
    wide('Container-Runtime', ({ status }) => status?.nodeInfo?.containerRuntimeVersion || '<unknown>'),
  ],
  '/PersistentVolumeClaim': [
    named,
    text('Status', claimPhase),
    text('Volume', ({ spec }) => spec.volumeName ?? ''),
    text('Capacity', ({ spec, status }) => (spec.volumeName ? (status?.capacity?.storage ?? '') : '')),
    text('Access Modes', ({ spec, status }) => (spec.volumeName ? accessModes(status?.accessModes) : '')),
    text('StorageClass', ({ spec }) => spec.storageClassName ?? ''),
    text('VolumeAttributesClass', ({ spec }) => spec.volumeAttributesClassName ?? unset),
    aged,
    wide('VolumeMode', ({ spec }) => spec.volumeMode ?? unset),
  ],
  '/PersistentVolume': [
    named,
    text('Capacity', ({ spec }) => spec.capacity?.storage ?? ''),
    text('Access Modes', ({ spec }) => accessModes(spec.accessModes)),
    text('Reclaim Policy', ({ spec }) => spec.persistentVolumeReclaimPolicy),
    text('Status', claimPhase),
    text('Claim', ({ spec }) => (spec.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '')),
    text('StorageClass', ({ spec }) => spec.storageClassName ?? ''),
    text('VolumeAttributesClass', ({ spec }) => spec.volumeAttributesClassName ?? unset),
    text('Reason', ({ status }) => status?.reason ?? ''),
    aged,
    wide('VolumeMode', ({ spec }) => spec.volumeMode ?? unset),
  ],
  '/Event': [
    text('Last Seen', eventAge),
    text('Type', ({ type }) => type),
    text('Reason', ({ reason }) => reason),
    text('Object', ({ involvedObject }) => `${String(involvedObject?.kind ?? '').toLowerCase()}/${involvedObject?.name ?? ''}`),
    wide('Subobject', ({ involvedObject }) => involvedObject?.fieldPath ?? ''),
    wide('Source', ({ source, reportingComponent }) =>
      source?.component ? source.component + (source.host ? `, ${source.host}` : '') : (reportingComponent ?? ''),
    ),
    text('Message', ({ message }) => String(message ?? '').trim()),
    wide('First Seen', ({ firstTimestamp, eventTime, metadata }, now) =>
      age(firstTimestamp ?? eventTime ?? metadata.creationTimestamp, now),
    ),
    wide('Count', ({ count: times, series }) => String(series?.count ?? times ?? 1)),
    { ...named, wide: true },
  ],
  '/ResourceQuota': [
    named,
    text('Request', ({ status }) => quota(status, (name) => !name.startsWith('limits.'))),
    text('Limit', ({ status }) => quota(status, (name) => name.startsWith('limits.'))),
    aged,
  ],
  '/LimitRange': [named, { ...created }],
  'apps/StatefulSet': [
    named,
    text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`),
    aged,
    ...workloadWide,
  ],
  'apps/Deployment': [
    named,
    text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`),
    count('Up-to-date', ({ status }) => status?.updatedReplicas),
    count('Available', ({ status }) => status?.availableReplicas),
    aged,
    ...workloadWide,
    selectorColumn,
  ],
  'apps/ReplicaSet': [
    named,
    count('Desired', ({ spec }) => spec.replicas),
    count('Current', ({ status }) => status?.replicas),
    count('Ready', ({ status }) => status?.readyReplicas),
    aged,
    ...workloadWide,
    selectorColumn,
  ],
  'apps/ControllerRevision': [
    named,
    text('Controller', ({ metadata }) => {
      const owner = metadata.ownerReferences?.find(({ controller }) => controller);
      return owner
        ? `${owner.kind.toLowerCase()}${owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : ''}/${owner.name}`
        : none;
    }),
    count('Revision', ({ revision }) => revision),
    aged,
  ],
  'networking.k8s.io/NetworkPolicy': [named, text('Pod-Selector', ({ spec }) => selector(spec?.podSelector)), aged],
  'networking.k8s.io/Ingress': [
    named,
    text('Class', ({ spec }) => orNone(spec?.ingressClassName)),
    text('Hosts', ({ spec }) => {
      const hosts = (spec?.rules ?? []).map(({ host }: any) => host || '*');
      return hosts.length === 0 ? '*' : hosts.length > 3 ? `${hosts.slice(0, 3).join(',')} + ${hosts.length - 3} more...` : hosts.join(',');
    }),
    text('Address', ({ status }) => (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }: any) => ip ?? hostname).join(',')),
    text('Ports', ({ spec }) => (spec?.tls?.length ? '80, 443' : '80')),
    aged,
  ],
  'policy/PodDisruptionBudget': [
    named,
    text('Min Available', ({ spec }) => String(spec?.minAvailable ?? 'N/A')),
    text('Max Unavailable', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A')),
    count('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed),
    aged,
  ],
  'coordination.k8s.io/Lease': [named, text('Holder', ({ spec }) => spec?.holderIdentity ?? ''), aged],
  'storage.k8s.io/StorageClass': [
    { ...named, cell: (object) => `${object.metadata.name}${isDefaultClass(object) ? ' (default)' : ''}` },
    text('Provisioner', ({ provisioner }) => provisioner),
    text('ReclaimPolicy', ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete'),
    text('VolumeBindingMode', ({ volumeBindingMode }) => volumeBindingMode ?? unset),
    { name: 'AllowVolumeExpansion', cell: ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false },
    aged,
  ],
  'rbac.authorization.k8s.io/Role': [named, created],
  'rbac.authorization.k8s.io/ClusterRole': [named, created],
  'rbac.authorization.k8s.io/RoleBinding': binding,
  'rbac.authorization.k8s.io/ClusterRoleBinding': binding,
  'apiextensions.k8s.io/CustomResourceDefinition': [named, created],
};

function quota(status: any, wanted: (name: string) => boolean): string {
  return Object.keys(status?.hard ?? {})
    .filter(wanted)
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status.hard[name]}`)
    .join(', ');
}
