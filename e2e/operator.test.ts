import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  annotations,
  childNames,
  conditionTypes,
  events,
  findCondition,
  labels,
  namespaces,
  networkPolicies,
  persistentVolumeClaims,
  pods,
  secrets,
  services,
  statefulServices,
  statefulSets,
  type KubeObject,
  type ResourceType,
  type StatefulService,
  type StatefulServiceSpec,
} from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import { deleteWithData } from './support/delete-service.ts';
import { openOperatedCluster, type OperatedCluster } from './support/operated-cluster.ts';
import { until } from './support/until.ts';

/** The operator against a whole cluster: the one that KUBECONFIG names, else an embedded one of its own. */

let cluster: OperatedCluster;
let client: KubeClient;
let operator: { close(): Promise<void> } | undefined;
/** Requests of the operator other than watches and its lease, newest last. */
const requests: string[] = [];
const namespace = `operator-${randomBytes(4).toString('hex')}`;

beforeAll(async () => {
  cluster = await openOperatedCluster();
  client = cluster.client;
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await startOne(await cluster.connect());
});

afterAll(async () => {
  // Where the cluster itself could not be had, that is the failure to tell.
  if (!operator) return cluster?.close();
  for (const { metadata } of (await client.list(statefulServices, { namespace })).items) {
    await deleteWithData(client, metadata!.name!, namespace);
  }
  await until('all services are gone', async () => (await client.list(statefulServices, { namespace })).items.length === 0);
  await operator?.close();
  await client.delete(namespaces, namespace);
  await cluster.close();
});

let operatorClient: KubeClient;

async function startOne(using: KubeClient = operatorClient): Promise<void> {
  operatorClient = using;
  operator = await cluster.startOperator(counting(using));
}

/** A client that notes what is asked of it. */
function counting(target: KubeClient): KubeClient {
  const counted = new Set(['get', 'find', 'list', 'create', 'replace', 'apply', 'patch', 'delete', 'raw']);
  return new Proxy(target, {
    get(_, property) {
      const member = Reflect.get(target, property, target) as unknown;
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const type = args[0] as ResourceType | string;
        const plural = typeof type === 'string' ? type : type?.plural;
        if (counted.has(String(property)) && plural !== 'leases')
          requests.push(`${String(property)} ${plural} ${JSON.stringify(args[1])?.slice(0, 80)}`);
        return member.apply(target, args);
      };
    },
  });
}

const add = (name: string, spec: StatefulServiceSpec): Promise<StatefulService> =>
  client.create(statefulServices, { apiVersion: 'skipper.dev/v1alpha1', kind: 'StatefulService', metadata: { name, namespace }, spec });

async function conditionOf(name: string, type: string) {
  return findCondition((await client.get(statefulServices, name, { namespace })).status?.conditions, type);
}

async function untilCondition(name: string, type: string, status: string, reason?: string): Promise<string> {
  let message = '';
  let seen: unknown;
  await until(`${type} of ${name} is ${status} ${reason ?? ''}`, async () => {
    const service = await client.get(statefulServices, name, { namespace });
    const condition = findCondition(service.status?.conditions, type);
    seen = condition;
    message = condition?.message ?? '';
    return (
      service.status?.observedGeneration === service.metadata?.generation &&
      condition?.status === status &&
      (reason === undefined || condition.reason === reason)
    );
  }).catch((error: Error) => {
    throw new Error(`${error.message}: ${JSON.stringify(seen)}`);
  });
  return message;
}

const untilReady = (name: string): Promise<string> => untilCondition(name, conditionTypes.ready, 'True');

async function remove(name: string, options: { data: boolean }): Promise<void> {
  if (options.data) await deleteWithData(client, name, namespace);
  else await client.delete(statefulServices, name, { namespace });
  await until(`${name} is gone`, async () => !(await client.find(statefulServices, name, { namespace })));
}

async function passwordOf(name: string): Promise<string> {
  const secret = await client.get(secrets, childNames.credentials(name), { namespace });
  return Buffer.from(secret.data?.['password'] ?? '', 'base64').toString();
}

describe('a service', () => {
  const name = 'main';
  const children: [string, ResourceType, string][] = [
    ['StatefulSet', statefulSets as ResourceType, childNames.statefulSet(name)],
    ['Service', services as ResourceType, childNames.headlessService(name)],
    ['NetworkPolicy', networkPolicies as ResourceType, childNames.networkPolicy(name)],
    ['pod', pods as ResourceType, childNames.pod(name)],
  ];

  beforeAll(async () => {
    await add(name, { type: 'postgres', storage: '1Gi' });
    await untilReady(name);
  });

  it('tells where it is and where its credentials are', async () => {
    const { status, metadata } = await client.get(statefulServices, name, { namespace });
    expect(status).toMatchObject({
      version: '18',
      storage: '1Gi',
      endpoint: { host: `main.${namespace}.svc.cluster.local`, port: 5432 },
      binding: { name: 'main-credentials' },
      observedGeneration: metadata?.generation,
    });
    for (const condition of status?.conditions ?? []) expect(condition).toMatchObject({ status: 'True' });
    const secret = await client.get(secrets, 'main-credentials', { namespace });
    expect(secret.type).toBe('servicebinding.io/postgres');
    const values = Object.fromEntries(
      Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
    );
    expect(values).toMatchObject({
      type: 'postgres',
      provider: 'skipper',
      host: status?.endpoint?.host,
      port: '5432',
      username: 'skipper',
      database: 'app',
    });
    expect(values['password']).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(new URL(values['uri'] ?? '').password).toBe(values['password']);
  });

  it.each(children)('gets its %s back when that is deleted', async (_, type, child) => {
    // What went with the object of the case before may not be back yet.
    const before = await until(`${child} is there`, async () => {
      const found = await client.find(type, child, { namespace });
      return found && !found.metadata?.deletionTimestamp && found;
    });
    await client.delete(type, child, { namespace });
    await until(`${child} is back`, async () => {
      const now = await client.find(type, child, { namespace });
      return now && now.metadata?.uid !== before.metadata?.uid && !now.metadata?.deletionTimestamp;
    });
    await untilReady(name);
  });

  it('reverts edits of what it set, and leaves what others added', async () => {
    await client.patch(
      services,
      name,
      { metadata: { labels: { 'example.com/mine': 'yes' } }, spec: { selector: { [labels.service]: 'somebody-else' } } },
      { namespace },
    );
    await client.patch(statefulSets, name, { spec: { replicas: 0 } }, { namespace });
    await client.patch(networkPolicies, name, { spec: { ingress: [{}] } }, { namespace });
    await until('all is as it was', async () => {
      const service = await client.get(services, name, { namespace });
      const set = await client.get(statefulSets, name, { namespace });
      const policy = await client.get(networkPolicies, name, { namespace });
      expect(service.metadata?.labels?.['example.com/mine']).toBe('yes');
      return service.spec?.selector?.[labels.service] === name && set.spec?.replicas === 1 && policy.spec?.ingress?.[0]?.from?.length === 2;
    });
    await untilReady(name);
  });

  it('is mended by an operator that starts later', async () => {
    await operator?.close();
    await client.delete(statefulSets, name, { namespace });
    await client.delete(services, name, { namespace });
    await until('the pod is gone', async () => !(await client.find(pods, childNames.pod(name), { namespace })));
    const password = await passwordOf(name);
    await startOne();
    await until('the StatefulSet is back', () => client.find(statefulSets, name, { namespace }));
    await untilReady(name);
    expect(await passwordOf(name)).toBe(password);
  });

  it('refuses a version that cannot open its data, and keeps running', async () => {
    await client.patch(statefulServices, name, { spec: { version: '17' } }, { namespace });
    expect(await untilCondition(name, conditionTypes.ready, 'False', 'VersionRefused')).toContain('PostgreSQL 18');
    expect((await client.get(statefulSets, name, { namespace })).spec?.template.spec?.containers[0]?.image).toContain(':18');
    await client.patch(statefulServices, name, { spec: { version: null } }, { namespace });
    await untilReady(name);
  });

  it('changes its limits by a new pod', async () => {
    const before = await client.get(pods, childNames.pod(name), { namespace });
    await client.patch(statefulServices, name, { spec: { resources: { limits: { memory: '640Mi' } } } }, { namespace });
    await until('the pod has the new limit', async () => {
      const pod = await client.find(pods, childNames.pod(name), { namespace });
      return pod?.spec?.containers[0]?.resources?.limits?.['memory'] === '640Mi' && pod.metadata?.uid !== before.metadata?.uid;
    });
    await untilReady(name);
  });

  it('says so when its volume cannot grow, and goes on running', async () => {
    await client.patch(statefulServices, name, { spec: { storage: '2Gi' } }, { namespace });
    await until('it is said or done', async () => {
      const condition = await conditionOf(name, conditionTypes.storageReady);
      const claim = await client.get(persistentVolumeClaims, childNames.claim(name), { namespace });
      return condition?.reason === 'ExpansionUnsupported' || claim.spec?.resources?.requests?.['storage'] === '2Gi';
    });
    expect((await conditionOf(name, conditionTypes.ready))?.status).toBe('True');
  });
});

describe('a kept volume', () => {
  it('is not what a command meant that never came to the deletion', async () => {
    await add('kept', { type: 'redis' });
    await untilReady('kept');
    const asked = { metadata: { annotations: { [annotations.deleteData]: new Date(Date.now() - 120_000).toISOString() } } };
    await client.patch(statefulServices, 'kept', asked, { namespace });
    await until('the request is taken back', async () => {
      const { metadata } = await client.get(statefulServices, 'kept', { namespace });
      return metadata?.annotations?.[annotations.deleteData] === undefined;
    });
  });

  it('is adopted with its password', async () => {
    const password = await passwordOf('kept');
    const claim = await client.get(persistentVolumeClaims, childNames.claim('kept'), { namespace });
    await remove('kept', { data: false });
    expect((await client.get(persistentVolumeClaims, childNames.claim('kept'), { namespace })).metadata?.uid).toBe(claim.metadata?.uid);
    expect(await client.find(pods, childNames.pod('kept'), { namespace })).toBeUndefined();
    // Kubernetes' times have seconds only.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await add('kept', { type: 'redis' });
    await untilReady('kept');
    expect(await passwordOf('kept')).toBe(password);
    expect((await client.get(persistentVolumeClaims, childNames.claim('kept'), { namespace })).metadata?.uid).toBe(claim.metadata?.uid);
    await until('an event says so', async () => (await eventsOf('kept')).some(({ reason }) => reason === 'Adopted'));
  });

  it('is not opened by a service of another type', async () => {
    await remove('kept', { data: false });
    await add('kept', { type: 'postgres' });
    expect(await untilCondition('kept', conditionTypes.ready, 'False', 'OtherType')).toContain('redis');
    expect(await client.find(statefulSets, 'kept', { namespace })).toBeUndefined();
    await remove('kept', { data: false });
  });

  it('blocks the service when its Secret is gone, and frees it when the Secret is back', async () => {
    const secret = await client.get(secrets, childNames.credentials('kept'), { namespace });
    await client.delete(secrets, childNames.credentials('kept'), { namespace });
    await add('kept', { type: 'redis' });
    const message = await untilCondition('kept', conditionTypes.ready, 'False', 'DataWithoutCredentials');
    expect(message).toContain('data-kept-0');
    expect(message).toContain('kept-credentials');
    expect(await client.find(secrets, childNames.credentials('kept'), { namespace })).toBeUndefined();
    await client.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: secret.metadata?.name, namespace, labels: secret.metadata?.labels },
      type: secret.type,
      data: secret.data,
    });
    await untilReady('kept');
  });

  it('goes with the service when that was asked for', async () => {
    await remove('kept', { data: true });
    await until('nothing is left', async () => {
      const left = await Promise.all([
        client.find(persistentVolumeClaims, childNames.claim('kept'), { namespace }),
        client.find(secrets, childNames.credentials('kept'), { namespace }),
        client.find(statefulSets, 'kept', { namespace }),
        client.find(services, 'kept', { namespace }),
        client.find(networkPolicies, 'kept', { namespace }),
        client.find(pods, 'kept-0', { namespace }),
      ]);
      return left.every((object) => object === undefined);
    });
  });
});

describe('an object of somebody else', () => {
  const foreign: [string, ResourceType, KubeObject & object][] = [
    [
      'Service',
      services as ResourceType,
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'taken', namespace },
        spec: { ports: [{ port: 80 }], selector: { app: 'theirs' } },
      } as KubeObject,
    ],
    [
      'Secret',
      secrets as ResourceType,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'taken-credentials', namespace },
        stringData: { password: 'theirs' },
      } as KubeObject,
    ],
    [
      'PersistentVolumeClaim',
      persistentVolumeClaims as ResourceType,
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data-taken-0', namespace },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
      } as KubeObject,
    ],
  ];
  it.each(foreign)('stands in the way as a %s, is named and is not touched', async (kind, type, object) => {
    const before = await client.create(type, object);
    await add('taken', { type: 'redis' });
    const message = await untilCondition('taken', conditionTypes.ready, 'False', 'NameTaken');
    expect(message).toContain(`${kind} "${object.metadata?.name}"`);
    expect((await conditionOf('taken', conditionTypes.nameFree))?.status).toBe('False');
    expect(await client.find(statefulSets, 'taken', { namespace })).toBeUndefined();
    await until('an event says so', async () =>
      (await eventsOf('taken')).some(({ reason, type: severity }) => reason === 'NameTaken' && severity === 'Warning'),
    );
    const now = (await client.get(type, object.metadata!.name!, { namespace })) as KubeObject & { spec?: unknown; data?: unknown };
    expect(now.metadata?.uid).toBe(before.metadata?.uid);
    expect(now.metadata?.labels).toBeUndefined();
    expect(now.metadata?.managedFields?.some(({ manager }) => manager === 'skipper-operator')).toBe(false);
    await remove('taken', { data: true });
    expect(await client.find(type, object.metadata!.name!, { namespace })).toBeDefined();
    await client.delete(type, object.metadata!.name!, { namespace });
    await until('it is gone', async () => !(await client.find(type, object.metadata!.name!, { namespace })));
  });

  it('frees the name when it goes', async () => {
    await client.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'freed', namespace },
      spec: { ports: [{ port: 80 }] },
    });
    await add('freed', { type: 'redis' });
    await untilCondition('freed', conditionTypes.ready, 'False', 'NameTaken');
    await client.delete(services, 'freed', { namespace });
    await untilReady('freed');
    await remove('freed', { data: true });
  });
});

describe('what cannot be', () => {
  it('refuses a version that is none, until it is mended', async () => {
    await add('odd', { type: 'redis', version: '99' });
    expect(await untilCondition('odd', conditionTypes.ready, 'False', 'VersionRefused')).toContain('not supported');
    expect(await client.find(persistentVolumeClaims, childNames.claim('odd'), { namespace })).toBeUndefined();
    await client.patch(statefulServices, 'odd', { spec: { version: '8' } }, { namespace });
    await untilReady('odd');
    await remove('odd', { data: true });
  });

  it('goes back from a version that cannot be had to the one that ran', async ({ skip }) => {
    skip(cluster.embedded, 'processes come from no registry');
    await add('store', { type: 'minio', storage: '1Gi' });
    await untilReady('store');
    await client.patch(statefulServices, 'store', { spec: { version: 'RELEASE.2099-01-01T00-00-00Z' } }, { namespace });
    await until('its image is looked for in vain', async () => {
      const pod = await client.find(pods, childNames.pod('store'), { namespace });
      const [container] = pod?.status?.containerStatuses ?? [];
      return container?.image.includes('2099') && /Image/.test(container.state?.waiting?.reason ?? '');
    });
    await client.patch(statefulServices, 'store', { spec: { version: null } }, { namespace });
    await untilReady('store');
    await remove('store', { data: true });
  });

  it.each([
    ['an unknown type', { type: 'oracle' }],
    ['no type', {}],
    ['a size that is no quantity', { type: 'redis', storage: '5GB' }],
    ['a negative size', { type: 'redis', storage: '-1Gi' }],
  ])('refuses %s at once', async (_, spec) => {
    const error = await add('bad', spec as StatefulServiceSpec).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(hasReason(error, 'Invalid')).toBe(true);
    expect(await client.find(statefulServices, 'bad', { namespace })).toBeUndefined();
  });
});

describe('with 20 services', () => {
  const names = Array.from({ length: 20 }, (_, index) => `many-${index}`);

  it('makes no request for a minute but watches and its lease', async () => {
    await Promise.all(
      names.map((name) => add(name, { type: 'redis', resources: { requests: { cpu: '1m', memory: '8Mi' }, limits: { memory: '64Mi' } } })),
    );
    for (const name of names) await untilReady(name);
    // The last status writes come back as events, which are looked at once more.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    requests.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    expect(requests).toEqual([]);
  });
});

async function eventsOf(name: string) {
  const { items } = await client.list(events, { namespace });
  return items.filter(({ involvedObject }) => involvedObject?.name === name && involvedObject.kind === 'StatefulService');
}
