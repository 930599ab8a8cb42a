import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  annotations,
  appChildNames,
  appConditionTypes,
  apps,
  childNames,
  conditionTypes,
  deployments,
  findCondition,
  ingresses,
  namespaces,
  pods,
  secrets,
  services,
  statefulServices,
  type App,
  type AppBinding,
  type AppSpec,
  type StatefulServiceSpec,
} from '@skipper/api';
import { openTunnel } from '@skipper/kube';
import type { OperatorOptions } from '@skipper/operator';
import { deleteWithData } from './support/delete-service.ts';
import { dyingAt, openOperatedCluster, type OperatedCluster } from './support/operated-cluster.ts';
import { until } from './support/until.ts';

/** Apps and their bindings, by an operator in this process. */

let cluster: OperatedCluster;
let operator: { close(): Promise<void> };
/** What the operator has to say. */
const logged: string[] = [];
const startOperator = async (options: Partial<OperatorOptions> = {}) =>
  cluster.startOperator(await cluster.connect(), { log: (line) => logged.push(line), ...options });
const namespace = `apps-${randomBytes(3).toString('hex')}`;

beforeAll(async () => {
  cluster = await openOperatedCluster();
  operator = await startOperator();
  await cluster.client.create(namespaces, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { 'skipper.dev/project': 'apps', 'skipper.dev/environment': 'test' } },
  });
  await addService('db', { type: 'postgres' });
  await addService('cache', { type: 'redis' });
  await Promise.all(['db', 'cache'].map(untilServiceReady));
});

afterAll(async () => {
  if (!cluster) return;
  const { client } = cluster;
  for (const { metadata } of (await client.list(apps, { namespace })).items) await client.delete(apps, metadata!.name!, { namespace });
  for (const { metadata } of (await client.list(statefulServices, { namespace })).items) await removeService(metadata!.name!, true);
  await until('all is gone', async () =>
    (await client.list(secrets, { namespace })).items.every(({ type }) => type !== 'skipper.dev/binding'),
  );
  await operator?.close();
  await client.delete(namespaces, namespace);
  await cluster.close();
});

/**
 * Answers with its environment: at the pod's own address where pods share the machine's, and on every one where the port is reached from
 * within the pod. Ends when asked to, which the first process of a container does only by its own will.
 */
const program = `process.once('SIGTERM', () => process.exit()); require('http').createServer((_, answer) => answer.end(JSON.stringify(process.env))).listen(8080${process.env['KUBECONFIG'] ? '' : ', process.env.POD_IP'})`;
const base: AppSpec = {
  image: 'docker.io/library/node:22-alpine',
  command: ['node', '-e', program],
  port: 8080,
  env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
};

const addService = (name: string, spec: StatefulServiceSpec) =>
  cluster.client.create(statefulServices, {
    metadata: { name, namespace },
    spec: { resources: { requests: { cpu: '5m', memory: '32Mi' } }, ...spec },
  });

async function removeService(name: string, data: boolean): Promise<void> {
  const { client } = cluster;
  if (data) await deleteWithData(client, name, namespace);
  else await client.delete(statefulServices, name, { namespace });
  await until(`${name} is gone`, async () => !(await client.find(statefulServices, name, { namespace })));
}

const untilServiceReady = (name: string) =>
  until(`service ${name} is ready`, async () => {
    const service = await cluster.client.get(statefulServices, name, { namespace });
    return findCondition(service.status?.conditions, conditionTypes.ready)?.status === 'True';
  });

const addApp = (name: string, bindings: AppBinding[] = [], more: Partial<AppSpec> = {}) =>
  cluster.client.create(apps, { metadata: { name, namespace }, spec: { ...base, ...more, ...(bindings.length > 0 ? { bindings } : {}) } });

const changeApp = (name: string, spec: object) => cluster.client.patch(apps, name, { spec }, { namespace });

async function removeApp(name: string): Promise<void> {
  await cluster.client.delete(apps, name, { namespace });
  await until(`everything of ${name} is gone`, async () => {
    const [all, deployment, pod] = await Promise.all([
      cluster.client.list(secrets, { namespace, labelSelector: `skipper.dev/app=${name}` }),
      cluster.client.find(deployments, name, { namespace }),
      cluster.client.list(pods, { namespace, labelSelector: `skipper.dev/app=${name}` }),
    ]);
    return all.items.length === 0 && !deployment && pod.items.length === 0;
  });
}

/** Waits until the condition has this status and reason, of the newest spec. @returns the app. */
async function untilApp(name: string, type: string, status: string, reason?: string): Promise<App & { message: string }> {
  let seen: unknown;
  return until(`${type} of ${name} is ${status} ${reason ?? ''}`, async () => {
    const app = await cluster.client.get(apps, name, { namespace });
    const condition = findCondition(app.status?.conditions, type);
    seen = app.status;
    const fits = condition?.status === status && (reason === undefined || condition.reason === reason);
    return app.status?.observedGeneration === app.metadata?.generation && fits && { ...app, message: condition.message };
  }).catch((error: Error) => {
    throw new Error(`${error.message}: ${JSON.stringify(seen)}`);
  });
}

const untilReady = (name: string) => untilApp(name, appConditionTypes.ready, 'True');

/** What a pod of the newest template has in its environment, as its own process says it. */
async function environmentOf(name: string): Promise<Record<string, string>> {
  const deployment = await cluster.client.get(deployments, name, { namespace });
  const wanted = deployment.spec?.template.metadata?.annotations?.['skipper.dev/template'];
  const { items } = await cluster.client.list(pods, { namespace, labelSelector: `skipper.dev/app=${name}` });
  const pod = items.find(({ metadata }) => !metadata?.deletionTimestamp && metadata?.annotations?.['skipper.dev/template'] === wanted);
  return through(
    pod!.metadata!.name!,
    8080,
    async (port) => (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as Record<string, string>,
  );
}

async function through<T>(pod: string, port: number, work: (localPort: number) => Promise<T>): Promise<T> {
  const tunnel = await openTunnel(cluster.client, { namespace, pod, port, localPort: 0 });
  try {
    return await work(tunnel.localPort);
  } finally {
    await tunnel.close();
  }
}

/** Runs one statement in a service with what an app was given. */
const query = (variables: Record<string, string>, text: string, service = 'db') =>
  through(`${service}-0`, 5432, async (port) => {
    const { default: pg } = await import('pg');
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: variables['DB_USERNAME'],
      password: variables['DB_PASSWORD'],
      database: variables['DB_NAME'],
    });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  });

async function administratorOf(service: string): Promise<Record<string, string>> {
  const { data } = await cluster.client.get(secrets, childNames.credentials(service), { namespace });
  const value = (key: string) => Buffer.from(data![key] ?? '', 'base64').toString();
  return { DB_USERNAME: value('username'), DB_PASSWORD: value('password'), DB_NAME: value('database') };
}

async function secretOf(app: string, service: string) {
  const secret = await cluster.client.get(secrets, appChildNames.binding(app, service), { namespace });
  return {
    secret,
    variables: Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()])),
  };
}

describe('an app', () => {
  it('gets its Deployment, Service and Ingress, and gives up what it gives up', async () => {
    await addApp('plain', [], { host: 'plain.example.test', replicas: 2 });
    const { status } = await untilReady('plain');
    expect(status).toMatchObject({ replicas: 2, readyReplicas: 2, url: 'http://plain.example.test' });
    expect((await cluster.client.get(services, 'plain', { namespace })).spec?.ports).toMatchObject([{ port: 8080 }]);
    expect((await cluster.client.get(ingresses, 'plain', { namespace })).spec?.rules?.[0]?.host).toBe('plain.example.test');
    await changeApp('plain', { host: null });
    await until('the Ingress is gone', async () => !(await cluster.client.find(ingresses, 'plain', { namespace })));
    await cluster.client.patch(apps, 'plain', { spec: { replicas: 1 } }, { namespace, subresource: 'scale' });
    await until('one replica is left', async () => (await untilReady('plain')).status?.replicas === 1);
  });

  it('restarts when its annotation asks for it, without an end to its service', async () => {
    const running = async () =>
      (await cluster.client.list(pods, { namespace, labelSelector: 'skipper.dev/app=plain' })).items.filter(
        ({ metadata }) => !metadata?.deletionTimestamp,
      );
    const [before] = await running();
    let unserved = false;
    await cluster.client.patch(
      apps,
      'plain',
      { metadata: { annotations: { [annotations.restartedAt]: new Date().toISOString() } } },
      { namespace },
    );
    await until('another pod runs', async () => {
      const items = await running();
      unserved ||= !items.some(({ status }) => status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True'));
      return items.length === 1 && items[0]?.metadata?.uid !== before?.metadata?.uid;
    });
    expect(unserved).toBe(false);
    await removeApp('plain');
  });

  it('says why its program does not run', async () => {
    await addApp('broken', [], { command: ['node', '-e', 'process.exit(3)'] });
    expect((await untilApp('broken', appConditionTypes.ready, 'False', 'CrashLoopBackOff')).message).toContain('exit code 3');
    await removeApp('broken');
  });

  it('leaves what others made alone, and says what it is', async () => {
    await cluster.client.create(services, { metadata: { name: 'taken', namespace }, spec: { ports: [{ port: 80 }] } });
    await addApp('taken');
    expect((await untilApp('taken', appConditionTypes.nameFree, 'False', 'NameTaken')).message).toContain('Service "taken"');
    expect(await cluster.client.find(deployments, 'taken', { namespace })).toBeUndefined();
    await cluster.client.delete(services, 'taken', { namespace });
    await untilReady('taken');
    await removeApp('taken');
    await addApp('db');
    expect((await untilApp('db', appConditionTypes.nameFree, 'False', 'NameTaken')).message).toContain('Service "db" of the service "db"');
    await removeApp('db');
  });

  it.each([
    ['neither image nor command', { image: undefined, command: undefined }],
    ['a host without a port', { host: 'a.test', port: undefined }],
  ])('is refused with %s', async (_, spec) => {
    const { minor } = JSON.parse((await cluster.client.raw('GET', '/version')).body) as { minor: string };
    if (Number.parseInt(minor, 10) >= 29) {
      await expect(addApp('odd', [], spec)).rejects.toMatchObject({ code: 422 });
    } else {
      // Such a server is not given the rules over several fields: the operator says what is wrong.
      await addApp('odd', [], spec);
      await untilApp('odd', appConditionTypes.ready, 'False', 'InvalidSpec');
      await removeApp('odd');
    }
  });

  it.each([
    ['a prefix in small letters', { bindings: [{ service: 'db', prefix: 'db' }] }],
    ['two bindings to one service', { bindings: [{ service: 'db' }, { service: 'db', prefix: 'PG' }] }],
  ])('is refused with %s', async (_, spec) => {
    await expect(addApp('odd', [], spec)).rejects.toMatchObject({ code: 422 });
  });
});

describe('a binding', () => {
  it('gives the app an account of its own that works', async () => {
    await addApp('api', [{ service: 'db' }, { service: 'cache' }]);
    const { status } = await untilReady('api');
    expect(status?.bindings).toMatchObject([
      { service: 'db', secret: 'api-db-binding', database: 'api_test', username: 'app_api', ready: true, reason: 'Bound' },
      { service: 'cache', username: 'app_api', ready: true },
    ]);
    const variables = await environmentOf('api');
    expect(variables).toMatchObject({
      DB_HOST: `db.${namespace}.svc.cluster.local`,
      DB_PORT: '5432',
      DB_NAME: 'api_test',
      DB_USERNAME: 'app_api',
      REDIS_USERNAME: 'app_api',
    });
    await query(variables, 'CREATE TABLE notes (text text)');
    await query(variables, `INSERT INTO notes VALUES ('kept')`);
    expect(await query(variables, 'SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
  });

  it('heals a Secret that was deleted, with another password that the app gets', async () => {
    const before = await secretOf('api', 'db');
    await cluster.client.delete(secrets, 'api-db-binding', { namespace });
    await until('the app has another password', async () => {
      const { DB_PASSWORD: password } = await environmentOf('api');
      return password !== before.variables['DB_PASSWORD'];
    });
    await untilReady('api');
    expect(await query(await environmentOf('api'), 'SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
    await expect(query(before.variables, 'SELECT 1')).rejects.toThrow('password authentication failed');
  });

  it('heals an account that was dropped, with the same password', async () => {
    const { secret, variables } = await secretOf('api', 'db');
    const administrator = await administratorOf('db');
    // In one transaction: between them the operator may come and give everything back to the account.
    await query(
      { ...administrator, DB_NAME: 'api_test' },
      'REASSIGN OWNED BY app_api TO skipper_kept; DROP OWNED BY app_api; DROP ROLE app_api',
    );
    await until('it can log in again', async () => (await query(variables, 'SELECT text FROM notes')).length === 1);
    expect((await secretOf('api', 'db')).secret.data).toEqual(secret.data);
    await untilReady('api');
  });

  it('reverts what was edited in its Secret, and takes a password that was set there', async () => {
    const chosen = `chosen${randomBytes(12).toString('hex')}`;
    const data = { DB_HOST: Buffer.from('elsewhere').toString('base64'), DB_PASSWORD: Buffer.from(chosen).toString('base64') };
    await cluster.client.patch(secrets, 'api-db-binding', { data }, { namespace });
    await until('the app has it', async () => (await environmentOf('api'))['DB_PASSWORD'] === chosen);
    const variables = await environmentOf('api');
    expect(variables['DB_HOST']).toContain('db.');
    expect(variables['DB_URL']).toContain(chosen);
    expect(await query(variables, 'SELECT text FROM notes')).toHaveLength(1);
    await untilReady('api');
  });

  it('waits for a pod that restarts, while the app runs on', async () => {
    const pod = await cluster.client.get(pods, 'db-0', { namespace });
    const app = (await cluster.client.get(deployments, 'api', { namespace })).spec?.template;
    await cluster.client.delete(pods, 'db-0', { namespace });
    await untilApp('api', appConditionTypes.bindingsReady, 'False', 'ServiceNotReady');
    await until(
      'another pod is there',
      async () => (await cluster.client.find(pods, 'db-0', { namespace }))?.metadata?.uid !== pod.metadata?.uid,
    );
    await untilReady('api');
    expect((await cluster.client.get(deployments, 'api', { namespace })).spec?.template).toEqual(app);
  });

  it('moves to another database when it names one, and leaves the data of the first', async () => {
    const before = await environmentOf('api');
    await changeApp('api', { bindings: [{ service: 'db', database: 'moved' }, { service: 'cache' }] });
    await until('the app has it', async () => (await environmentOf('api'))['DB_NAME'] === 'moved');
    await untilReady('api');
    const variables = await environmentOf('api');
    expect(await query(variables, 'SELECT current_database() AS name')).toEqual([{ name: 'moved' }]);
    await expect(query({ ...variables, DB_NAME: before['DB_NAME']! }, 'SELECT 1')).rejects.toThrow('permission denied');
    expect(await query({ ...(await administratorOf('db')), DB_NAME: 'api_test' }, 'SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
    await changeApp('api', { bindings: [{ service: 'db' }, { service: 'cache' }] });
    await until('the app is back', async () => (await environmentOf('api'))['DB_NAME'] === 'api_test');
    expect(await query(await environmentOf('api'), 'SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
  });

  it('is refused a database that another app has', async () => {
    await addApp('thief', [{ service: 'db', database: 'api_test' }]);
    expect((await untilApp('thief', appConditionTypes.bindingsReady, 'False', 'DatabaseTaken')).message).toContain('"api"');
    expect(await cluster.client.find(secrets, 'thief-db-binding', { namespace })).toBeUndefined();
    expect(await cluster.client.find(deployments, 'thief', { namespace })).toBeUndefined();
    await changeApp('thief', { bindings: [{ service: 'db', database: 'postgres' }] });
    await untilApp('thief', appConditionTypes.bindingsReady, 'False', 'DatabaseRefused');
    await removeApp('thief');
  });

  it('is refused when its variables collide, before anything is made', async () => {
    await addApp('mixed', [{ service: 'db' }, { service: 'cache', prefix: 'DB' }]);
    const { message } = await untilApp('mixed', appConditionTypes.ready, 'False', 'VariablesCollide');
    expect(message).toContain('DB_HOST');
    expect(message).toContain('"cache"');
    await changeApp('mixed', { bindings: [{ service: 'db' }], env: [...base.env!, { name: 'DB_HOST', value: 'x' }] });
    expect((await untilApp('mixed', appConditionTypes.ready, 'False', 'VariablesCollide')).message).toContain('its own env');
    expect(await cluster.client.find(deployments, 'mixed', { namespace })).toBeUndefined();
    expect((await cluster.client.list(secrets, { namespace, labelSelector: 'skipper.dev/app=mixed' })).items).toEqual([]);
    await changeApp('mixed', { bindings: [{ service: 'db', prefix: 'PG' }] });
    await untilReady('mixed');
    expect(await environmentOf('mixed')).toMatchObject({ DB_HOST: 'x', PG_NAME: 'mixed_test' });
    await removeApp('mixed');
  });

  it('leaves a Secret of somebody else at its name alone', async () => {
    await cluster.client.create(secrets, { metadata: { name: 'careful-db-binding', namespace }, stringData: { DB_PASSWORD: 'theirs' } });
    await addApp('careful', [{ service: 'db' }]);
    expect((await untilApp('careful', appConditionTypes.bindingsReady, 'False', 'NameTaken')).message).toContain('careful-db-binding');
    expect((await secretOf('careful', 'db')).variables).toEqual({ DB_PASSWORD: 'theirs' });
    await removeApp('careful');
    await cluster.client.delete(secrets, 'careful-db-binding', { namespace });
  });

  it('waits for a service that is not there or not ready, and the app with it', async () => {
    await addApp('early', [{ service: 'later' }]);
    await untilApp('early', appConditionTypes.bindingsReady, 'False', 'ServiceMissing');
    await addService('later', { type: 'redis', version: '99' });
    expect((await untilApp('early', appConditionTypes.bindingsReady, 'False', 'ServiceNotReady')).message).toContain('"later"');
    expect(await cluster.client.find(deployments, 'early', { namespace })).toBeUndefined();
    await cluster.client.patch(statefulServices, 'later', { spec: { version: null } }, { namespace });
    await untilReady('early');
    expect((await environmentOf('early'))['REDIS_USERNAME']).toBe('app_early');
  });

  it('stays when its service goes without its data, and works when it returns', async () => {
    await removeService('later', false);
    await untilApp('early', appConditionTypes.bindingsReady, 'False', 'ServiceMissing');
    await changeApp('early', { replicas: 2 });
    await until(
      'the app is scaled all the same',
      async () => (await cluster.client.get(apps, 'early', { namespace })).status?.readyReplicas === 2,
    );
    await addService('later', { type: 'redis' });
    await untilReady('early');
  });

  it('goes when its service goes with its data, and the app restarts without it', async () => {
    await removeService('later', true);
    const { spec } = await untilReady('early');
    expect(spec.bindings ?? []).toEqual([]);
    await until('the Secret is gone', async () => !(await cluster.client.find(secrets, 'early-later-binding', { namespace })));
    await until('the app restarted', async () => (await environmentOf('early'))['REDIS_HOST'] === undefined);
    await removeApp('early');
  });

  it('goes with Secret and account when it is taken away, and leaves the data', async () => {
    const before = await environmentOf('api');
    await changeApp('api', { bindings: [{ service: 'cache' }] });
    await until('the Secret is gone', async () => !(await cluster.client.find(secrets, 'api-db-binding', { namespace })));
    await expect(query(before, 'SELECT 1')).rejects.toThrow('password authentication failed');
    expect(await query({ ...(await administratorOf('db')), DB_NAME: 'api_test' }, 'SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
    await untilReady('api');
    expect((await environmentOf('api'))['DB_HOST']).toBeUndefined();
  });

  it('that went while its service was away ends when the service is back', async () => {
    await cluster.client.create(statefulServices, { metadata: { name: 'away', namespace }, spec: { type: 'postgres', storage: '1Gi' } });
    await untilServiceReady('away');
    await addApp('stray', [{ service: 'away' }]);
    await untilReady('stray');
    const { variables } = await secretOf('stray', 'away');
    await query(variables, 'SELECT 1', 'away');
    await removeService('away', false);
    await cluster.client.delete(apps, 'stray', { namespace });
    await until('it is to go', async () => (await secretOf('stray', 'away')).secret.metadata?.deletionTimestamp !== undefined);
    // One of that name that comes and goes in between must not make the account forgotten.
    await addApp('stray', [{ service: 'away' }]);
    await untilApp('stray', appConditionTypes.bindingsReady, 'False', 'ServiceMissing');
    await cluster.client.delete(apps, 'stray', { namespace });
    await until('the app is gone', async () => !(await cluster.client.find(apps, 'stray', { namespace })));
    await cluster.client.create(statefulServices, { metadata: { name: 'away', namespace }, spec: { type: 'postgres', storage: '1Gi' } });
    await untilServiceReady('away');
    await removeAppLeft('stray');
    await expect(query(variables, 'SELECT 1', 'away')).rejects.toThrow('password authentication failed');
    await removeService('away', true);
  });

  it('goes with its app, at once, and gives the data to an app of that name that comes back', async () => {
    await changeApp('api', { bindings: [{ service: 'db' }] });
    await untilReady('api');
    const before = await environmentOf('api');
    await cluster.client.delete(apps, 'api', { namespace });
    expect(await cluster.client.find(apps, 'api', { namespace })).toBeUndefined();
    await until('the Secret is gone', async () => !(await cluster.client.find(secrets, 'api-db-binding', { namespace })));
    await expect(query(before, 'SELECT 1')).rejects.toThrow('password authentication failed');
    await addApp('api', [{ service: 'db' }]);
    await untilReady('api');
    expect(await query(await environmentOf('api'), 'SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
    await removeApp('api');
  });
});

describe('a namespace', () => {
  it('goes with its service and the app that is bound to it, and the operator complains of nothing', async () => {
    const going = `${namespace}-going`;
    const { client } = cluster;
    // A login that the pod's end cuts off is no complaint that this is about.
    await operator.close();
    operator = await startOperator({ verifyBindingsEveryMs: 600_000 });
    await client.create(namespaces, { metadata: { name: going } });
    await client.create(statefulServices, { metadata: { name: 'db', namespace: going }, spec: { type: 'redis' } });
    await client.create(apps, { metadata: { name: 'api', namespace: going }, spec: { ...base, bindings: [{ service: 'db' }] } });
    await until('the app is ready', async () => {
      const { status } = await client.get(apps, 'api', { namespace: going });
      return findCondition(status?.conditions, appConditionTypes.ready)?.status === 'True';
    });
    logged.length = 0;
    await client.delete(namespaces, going);
    await until('it is gone', async () => !(await client.find(namespaces, going)));
    expect(logged.filter((line) => line.includes(going))).toEqual([]);
  });
});

describe('an operator that dies', () => {
  it.each([
    ['before it has written the Secret', (method: string, plural: string) => method === 'create' && plural === 'secrets'],
    [
      'when the account is made, before it is given to the app',
      (method: string, plural: string) => method === 'patch' && plural === 'secrets',
    ],
    [
      'when the app is given the account, before it has pods',
      (method: string, plural: string) => method === 'apply' && plural === 'deployments',
    ],
  ])('%s leaves nothing that the next one cannot take up', async (_, fits) => {
    await operator.close();
    const name = `crash-${randomBytes(2).toString('hex')}`;
    const { client, died } = dyingAt(
      await cluster.connect(),
      (method, type, object) => fits(method, type?.plural ?? '') && JSON.stringify(object).includes(name),
    );
    const dying = await cluster.startOperator(client, { leaderElection: false });
    await addApp(name, [{ service: 'db' }]);
    await died;
    await dying.close();
    const left = await cluster.client.find(secrets, `${name}-db-binding`, { namespace });
    const { status } = await cluster.client.get(apps, name, { namespace });
    expect(findCondition(status?.conditions, appConditionTypes.ready)?.status).not.toBe('True');
    operator = await startOperator();
    await untilReady(name);
    const { secret, variables } = await secretOf(name, 'db');
    if (left) expect(secret.data).toEqual(left.data);
    expect(await query(variables, 'SELECT current_user AS name')).toEqual([{ name: variables['DB_USERNAME'] }]);
    await removeApp(name);
  });

  it('before it has removed an account leaves that to the next one', async () => {
    await addApp('leaving', [{ service: 'db' }]);
    await untilReady('leaving');
    const { variables } = await secretOf('leaving', 'db');
    await operator.close();
    await cluster.client.delete(apps, 'leaving', { namespace });
    operator = await startOperator();
    await removeAppLeft('leaving');
    await expect(query(variables, 'SELECT 1')).rejects.toThrow('password authentication failed');
  });
});

const removeAppLeft = (name: string) =>
  until(
    'its Secret is gone',
    async () => (await cluster.client.list(secrets, { namespace, labelSelector: `skipper.dev/app=${name}` })).items.length === 0,
  );
