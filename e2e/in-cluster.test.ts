import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { deployments, namespaces, pods, statefulServices, type KubeObject, type ResourceType } from '@skipper/api';
import { applyCrds } from '@skipper/operator';
import { openCluster, type TestCluster } from './support/kip.ts';
import { until } from './support/until.ts';

/** The operator as teams run it: from an image that the cluster has, with the rights of deploy/operator.yaml and no others. */
const image = process.env['E2E_OPERATOR_IMAGE'] ?? '';
const systemNamespace = 'skipper-system';
const project = `inside-${randomBytes(3).toString('hex')}`;
const scope = ['--project', project];
let cluster: TestCluster;

const rbac = (kind: string, plural: string, namespaced: boolean): ResourceType => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind,
  plural,
  namespaced,
});
const core = (kind: string, plural: string, namespaced: boolean): ResourceType => ({ group: '', version: 'v1', kind, plural, namespaced });
const kinds: Record<string, ResourceType> = {
  Namespace: namespaces as ResourceType,
  ServiceAccount: core('ServiceAccount', 'serviceaccounts', true),
  ClusterRole: rbac('ClusterRole', 'clusterroles', false),
  ClusterRoleBinding: rbac('ClusterRoleBinding', 'clusterrolebindings', false),
  Role: rbac('Role', 'roles', true),
  RoleBinding: rbac('RoleBinding', 'rolebindings', true),
  Deployment: deployments as ResourceType,
};

async function install(): Promise<void> {
  const text = (await readFile(new URL('../deploy/operator.yaml', import.meta.url), 'utf8')).replace(
    'image: skipper:0.1.0',
    `image: ${image}`,
  );
  for (const document of parseAllDocuments(text)) {
    const object = document.toJS() as KubeObject | null;
    if (!object) continue;
    const type = kinds[object.kind!];
    if (!type) throw new Error(`deploy/operator.yaml has a ${object.kind}, which this test does not know`);
    await cluster.client.apply(type, object, { fieldManager: 'e2e', force: true });
  }
}

async function succeed(...args: string[]): Promise<string> {
  const ended = await cluster.kip(...args, ...scope);
  expect(ended, `kip ${args.join(' ')}`).toMatchObject({ code: 0 });
  return ended.stdout;
}

async function operatorLog(): Promise<string> {
  const { items } = await cluster.client.list(pods, {
    namespace: systemNamespace,
    labelSelector: 'app.kubernetes.io/name=skipper-operator',
  });
  const logs = await Promise.all(
    items.map(({ metadata }) => cluster.client.raw('GET', `/api/v1/namespaces/${systemNamespace}/pods/${metadata!.name}/log`)),
  );
  return logs.map(({ body }) => body).join('');
}

beforeAll(async () => {
  cluster = await openCluster({ operator: false });
  // The kinds without the rules that an old cluster cannot know.
  await applyCrds(cluster.client);
  await install();
  await until('the operator runs', async () => {
    const { status } = await cluster.client.get(deployments, 'skipper-operator', { namespace: systemNamespace });
    return status?.availableReplicas === 1;
  });
});

afterAll(async () => {
  for (const { metadata } of (await cluster.client.list(statefulServices, { namespace: project })).items)
    await cluster.kip('service', 'delete', metadata!.name!, '--delete-data', ...scope);
  await cluster.client.delete(deployments, 'skipper-operator', { namespace: systemNamespace, propagation: 'Foreground' });
  await until('the operator has ended', async () => {
    const { items } = await cluster.client.list(pods, { namespace: systemNamespace });
    return items.length === 0;
  });
  await cluster.client.delete(namespaces, project);
  await cluster.close();
});

describe('an operator in the cluster', () => {
  it('makes a service that serves, restarts it and deletes it', async () => {
    const details = await succeed('service', 'add', 'postgres', '--name', 'db', '--storage', '1Gi');
    const password = /Password: (\S+)/.exec(details)![1]!;
    const tunnel = await cluster.background(/Press Ctrl\+C to close/, 'tunnel', 'db', ...scope, '--local-port', '0');
    const client = new pg.Client({
      host: '127.0.0.1',
      port: Number(/localhost:(\d+)/.exec(tunnel.output())![1]),
      user: 'skipper',
      password,
      database: 'app',
    });
    await client.connect();
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    expect(await tunnel.interrupt()).toBe(0);
    await succeed('service', 'restart', 'db', '--force');
    await succeed('service', 'delete', 'db', '--delete-data');
  });

  it('is refused nothing that it asks for', async () => {
    const log = await operatorLog();
    expect(log).toContain('elected: ');
    // A namespace that is going refuses too, and in other words.
    expect(log).not.toMatch(/forbidden: User|may not/);
  });
});
