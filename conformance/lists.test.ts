import { pods } from '@skipper/api';
import type { ConfigMapList } from 'kubernetes-types/core/v1.d.ts';
import type { APIResourceList } from 'kubernetes-types/meta/v1.d.ts';
import { beforeAll, describe, expect, it } from 'vitest';
import { ask, createNamespace, kube, pathOf } from './support/cluster.ts';
import { configMaps } from './support/kinds.ts';
import { nodePod, scripts } from './support/pods.ts';
import { failureOf } from './support/until.ts';

const namespace = await createNamespace('lists');
const other = await createNamespace('lists-other');
const collection = pathOf(configMaps, namespace);
const named = async (selectors: { labelSelector?: string; fieldSelector?: string }) =>
  (await kube.list(configMaps, { namespace, ...selectors })).items.map(({ metadata }) => metadata?.name);

interface Table {
  kind: string;
  apiVersion: string;
  metadata: { resourceVersion: string; continue?: string };
  columnDefinitions: { name: string; type: string; format: string; priority: number; description: string }[];
  rows: { cells: unknown[]; object: { kind: string; metadata: { name: string }; data?: object } }[];
}
const tableType = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

beforeAll(async () => {
  const create = (namespace: string, name: string, labels: Record<string, string>) =>
    kube.create(configMaps, { metadata: { namespace, name, labels }, data: { name } });
  await Promise.all([
    create(namespace, 'a', { list: 'yes', tier: 'front' }),
    create(namespace, 'b', { list: 'yes', tier: 'back' }),
    create(namespace, 'c', { list: 'yes' }),
    create(namespace, 'd', { list: 'no', empty: '' }),
    create(other, 'a', { list: 'yes', tier: 'front' }),
  ]);
});

describe('a list', () => {
  it('is of its namespace, in order of names, and has a version', async () => {
    const { body } = await ask<ConfigMapList>('GET', `${collection}?labelSelector=list`);
    expect(body).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: expect.stringMatching(/^\d+$/) } });
    expect(body.items.map(({ metadata }) => metadata?.name)).toEqual(['a', 'b', 'c', 'd']);
    expect(body.items.every(({ metadata }) => metadata?.namespace === namespace)).toBe(true);
  });

  it('is of all namespaces when none is named', async () => {
    const { items } = await kube.list(configMaps, { labelSelector: 'list=yes' });
    const ours = items
      .filter(({ metadata }) => [namespace, other].includes(metadata?.namespace ?? ''))
      .map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`);
    expect(ours.sort()).toEqual([`${namespace}/a`, `${namespace}/b`, `${namespace}/c`, `${other}/a`].sort());
  });

  it.each([
    ['list=yes', ['a', 'b', 'c']],
    ['list==no', ['d']],
    ['list!=no,list', ['a', 'b', 'c']],
    ['list,!tier', ['c', 'd']],
    ['tier', ['a', 'b']],
    ['tier in (front,back)', ['a', 'b']],
    ['tier notin (front),list=yes', ['b', 'c']],
    ['empty=', ['d']],
    ['list=maybe', []],
    ['list=yes,tier=front', ['a']],
  ])('holds what the label selector %j admits', async (labelSelector, names) => {
    expect(await named({ labelSelector })).toEqual(names);
  });

  it.each(['=', 'a in (', 'a in b', 'a b', 'ä=1', ',,'])('refuses the label selector %j', async (selector) => {
    expect(await ask('GET', `${collection}?labelSelector=${encodeURIComponent(selector)}`)).toMatchObject({
      status: 400,
      body: { reason: 'BadRequest' },
    });
  });

  it('holds what a field selector admits', async () => {
    expect(await named({ fieldSelector: 'metadata.name=b' })).toEqual(['b']);
    expect(await named({ fieldSelector: `metadata.name!=b,metadata.namespace=${namespace}`, labelSelector: 'list' })).toEqual([
      'a',
      'c',
      'd',
    ]);
    expect(await named({ fieldSelector: `metadata.namespace=${other}` })).toEqual([]);
  });

  it('refuses a field selector of a field that cannot be selected by', async () => {
    expect(await failureOf(kube.list(configMaps, { namespace, fieldSelector: 'data.name=a' }))).toMatchObject({
      code: 400,
      reason: 'BadRequest',
      message: expect.stringContaining('data.name'),
    });
  });

  it('of pods is selected by phase, node and restart policy', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'unscheduled', scripts.idle, { spec: { nodeSelector: { 'example.com/there-is': 'none' } } }),
    );
    const select = async (fieldSelector: string) =>
      (await kube.list(pods, { namespace, fieldSelector })).items.map(({ metadata }) => metadata?.name);
    expect(await select('status.phase=Pending')).toEqual(['unscheduled']);
    expect(await select('status.phase!=Pending')).toEqual([]);
    expect(await select('spec.nodeName=')).toEqual(['unscheduled']);
    expect(await select('spec.restartPolicy=Never')).toEqual([]);
    await kube.delete(pods, 'unscheduled', { namespace, gracePeriodSeconds: 0 });
  });
});

describe('a list in pages', () => {
  const page = (query: string) => ask<ConfigMapList>('GET', `${collection}?labelSelector=list&${query}`);

  it('gives a token to continue with, until the end', async () => {
    const first = await page('limit=2');
    expect(first.body.items.map(({ metadata }) => metadata?.name)).toEqual(['a', 'b']);
    expect(first.body.metadata?.continue).toBeTruthy();
    const second = await page(`limit=2&continue=${encodeURIComponent(first.body.metadata!.continue!)}`);
    expect(second.body.items.map(({ metadata }) => metadata?.name)).toEqual(['c', 'd']);
    expect(second.body.metadata?.resourceVersion).toBe(first.body.metadata?.resourceVersion);
    // A server that does not look ahead gives one more page, an empty one.
    const token = second.body.metadata?.continue;
    if (token)
      expect((await page(`limit=2&continue=${encodeURIComponent(token)}`)).body).toMatchObject({
        items: [],
        metadata: { resourceVersion: first.body.metadata?.resourceVersion },
      });
    const all = await page('limit=0');
    expect(all.body.metadata?.continue ?? '').toBe('');
  });

  it('is one moment: what is made or changed meanwhile is not in it', async () => {
    const first = await page('limit=2');
    await kube.create(configMaps, { metadata: { namespace, name: 'bb', labels: { list: 'late' } } });
    await kube.patch(configMaps, 'c', { data: { name: 'changed' } }, { namespace });
    const second = await page(`limit=9&continue=${encodeURIComponent(first.body.metadata!.continue!)}`);
    expect(second.body.items.map(({ metadata, data }) => `${metadata?.name}=${data?.['name']}`)).toEqual(['c=c', 'd=d']);
    await kube.delete(configMaps, 'bb', { namespace });
    await kube.patch(configMaps, 'c', { data: { name: 'c' } }, { namespace });
  });

  it('refuses a token that it did not give', async () => {
    expect(await page('limit=2&continue=nonsense')).toMatchObject({ status: 400, body: { reason: 'BadRequest' } });
  });

  it('is put together by the client', async () => {
    const { items } = await kube.list(configMaps, { namespace, labelSelector: 'list', pageSize: 1 });
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('a table', () => {
  const table = async (path: string) => (await ask<Table>('GET', path, { headers: { accept: tableType } })).body;

  it('has the columns that kubectl prints', async () => {
    const body = await table(`${collection}?labelSelector=list%3Dyes`);
    expect(body).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: expect.stringMatching(/^\d+$/) },
    });
    expect(body.columnDefinitions.map(({ name, type, format, priority }) => ({ name, type, format, priority }))).toEqual([
      { name: 'Name', type: 'string', format: 'name', priority: 0 },
      { name: 'Data', type: 'string', format: '', priority: 0 },
      { name: 'Age', type: 'string', format: '', priority: 0 },
    ]);
    expect(body.rows.map(({ cells }) => cells)).toEqual(['a', 'b', 'c'].map((name) => [name, 1, expect.stringMatching(/^(\d+[smh])+$/)]));
    expect(body.rows[0]?.object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a' } });
  });

  it.each([
    ['/api/v1/pods', ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP', 'Node', 'Nominated Node', 'Readiness Gates']],
    ['/api/v1/services', ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', 'Selector']],
    ['/api/v1/secrets', ['Name', 'Type', 'Data', 'Age']],
    ['/api/v1/namespaces', ['Name', 'Status', 'Age']],
    [
      '/api/v1/nodes',
      ['Name', 'Status', 'Roles', 'Age', 'Version', 'Internal-IP', 'External-IP', 'OS-Image', 'Kernel-Version', 'Container-Runtime'],
    ],
    ['/apis/apps/v1/statefulsets', ['Name', 'Ready', 'Age', 'Containers', 'Images']],
    ['/apis/apps/v1/deployments', ['Name', 'Ready', 'Up-to-date', 'Available', 'Age', 'Containers', 'Images', 'Selector']],
    ['/apis/apps/v1/replicasets', ['Name', 'Desired', 'Current', 'Ready', 'Age', 'Containers', 'Images', 'Selector']],
    ['/api/v1/events', ['Last Seen', 'Type', 'Reason', 'Object', 'Subobject', 'Source', 'Message', 'First Seen', 'Count', 'Name']],
    ['/apis/coordination.k8s.io/v1/leases', ['Name', 'Holder', 'Age']],
    ['/apis/networking.k8s.io/v1/networkpolicies', ['Name', 'Pod-Selector', 'Age']],
  ])('of %s has the columns of Kubernetes', async (path, names) => {
    expect((await table(`${path}?limit=1`)).columnDefinitions.map(({ name }) => name)).toEqual(names);
  });

  it('of custom resource definitions has the columns of Kubernetes', async () => {
    const names = (await table('/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=1')).columnDefinitions.map(
      ({ name }) => name,
    );
    expect(names).toEqual(expect.arrayContaining(['Name', 'Created At']));
  });

  it('of volume claims has the columns of Kubernetes', async () => {
    const names = (await table('/api/v1/persistentvolumeclaims?limit=1')).columnDefinitions
      .map(({ name }) => name)
      .filter((name) => name !== 'VolumeAttributesClass');
    expect(names).toEqual(['Name', 'Status', 'Volume', 'Capacity', 'Access Modes', 'StorageClass', 'Age', 'VolumeMode']);
  });

  it('can hold the whole objects, or none', async () => {
    expect((await table(`${collection}/a?includeObject=Object`)).rows[0]?.object).toMatchObject({ kind: 'ConfigMap', data: { name: 'a' } });
    expect((await table(`${collection}/a?includeObject=None`)).rows[0]?.object ?? null).toBeNull();
  });

  it('comes in pages too', async () => {
    const body = await table(`${collection}?labelSelector=list&limit=1`);
    expect(body.rows).toHaveLength(1);
    expect(body.metadata.continue).toBeTruthy();
  });
});

describe('metadata alone', () => {
  it('is given when it is asked for', async () => {
    const one = await ask<object>('GET', `${collection}/a`, {
      headers: { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' },
    });
    expect(one.body).toMatchObject({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { name: 'a', labels: { list: 'yes' } },
    });
    expect(one.body).not.toHaveProperty('data');
    const many = await ask<{ items: object[] }>('GET', `${collection}?labelSelector=list`, {
      headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
    });
    expect(many.body).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' });
    expect(many.body.items).toHaveLength(4);
    for (const item of many.body.items) expect(item).not.toHaveProperty('data');
  });
});

describe('kinds', () => {
  it('can all be listed', async () => {
    for (const path of [
      '/api/v1',
      '/apis/apps/v1',
      '/apis/storage.k8s.io/v1',
      '/apis/coordination.k8s.io/v1',
      '/apis/networking.k8s.io/v1',
      '/apis/apiextensions.k8s.io/v1',
    ]) {
      const { resources } = (await ask<APIResourceList>('GET', path)).body;
      for (const { name, verbs, kind } of resources.filter(({ verbs, name }) => verbs.includes('list') && name !== 'componentstatuses')) {
        expect(await ask('GET', `${path}/${name}?limit=1`), `${path}/${name} ${verbs.join()}`).toMatchObject({
          status: 200,
          body: { kind: `${kind}List` },
        });
      }
    }
  });
});
