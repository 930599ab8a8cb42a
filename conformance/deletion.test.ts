import { namespaces } from '@skipper/api';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { Namespace } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { createNamespace, gone, kube, uniqueName } from './support/cluster.ts';
import { configMaps, deployments, replicaSets } from './support/kinds.ts';
import { podSpec, scripts } from './support/pods.ts';
import { failureOf, until } from './support/until.ts';

const namespace = await createNamespace('deletion');
const inNamespace = { namespace };
const create = (name: string, metadata: object = {}) => kube.create(configMaps, { metadata: { namespace, name, ...metadata } });
const ownedBy = (...owners: ConfigMap[]) => ({
  ownerReferences: owners.map(({ metadata }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: metadata!.name!,
    uid: metadata!.uid!,
    blockOwnerDeletion: true,
  })),
});
const ownedByNobody = (name: string) => ({
  ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid: '11111111-2222-3333-4444-555555555555' }],
});
const get = (name: string) => kube.find(configMaps, name, inNamespace);

describe.concurrent('a finalizer', () => {
  it('keeps a deleted object until it is removed', async () => {
    const created = await create('finalized', { finalizers: ['example.com/a', 'example.com/b'] });
    await kube.delete(configMaps, 'finalized', inNamespace);
    const waiting = await kube.get(configMaps, 'finalized', inNamespace);
    expect(waiting.metadata).toMatchObject({
      uid: created.metadata?.uid,
      deletionTimestamp: expect.stringMatching(/Z$/),
      deletionGracePeriodSeconds: 0,
      finalizers: ['example.com/a', 'example.com/b'],
    });
    await kube.delete(configMaps, 'finalized', inNamespace);
    expect((await get('finalized'))?.metadata?.deletionTimestamp).toBe(waiting.metadata?.deletionTimestamp);
    await kube.patch(configMaps, 'finalized', { metadata: { finalizers: ['example.com/b'] } }, inNamespace);
    expect(await get('finalized')).toBeDefined();
    await kube.patch(configMaps, 'finalized', { metadata: { finalizers: null } }, inNamespace);
    expect(await get('finalized')).toBeUndefined();
  });

  it('cannot be added to an object that is being deleted', async () => {
    await create('late', { finalizers: ['example.com/a'] });
    await kube.delete(configMaps, 'late', inNamespace);
    expect(
      await failureOf(kube.patch(configMaps, 'late', { metadata: { finalizers: ['example.com/a', 'example.com/b'] } }, inNamespace)),
    ).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: {
        details: {
          causes: expect.arrayContaining([expect.objectContaining({ reason: 'FieldValueForbidden', field: 'metadata.finalizers' })]),
        },
      },
    });
    await kube.patch(configMaps, 'late', { metadata: { finalizers: null } }, inNamespace);
  });

  it('must be a qualified name', async () => {
    expect(await failureOf(create('plain', { finalizers: ['a b'] }))).toMatchObject({
      code: 422,
      status: {
        details: { causes: expect.arrayContaining([expect.objectContaining({ field: expect.stringMatching(/^metadata\.finalizers/) })]) },
      },
    });
  });
});

describe.concurrent('owned objects', () => {
  it('follow their owner into deletion in the background', async () => {
    const owner = await create('background');
    const child = await create('background-child', ownedBy(owner));
    await create('background-grandchild', ownedBy(child));
    await kube.delete(configMaps, 'background', { namespace, propagation: 'Background' });
    expect(await get('background')).toBeUndefined();
    await gone(configMaps, 'background-child', namespace);
    await gone(configMaps, 'background-grandchild', namespace);
  });

  it('go first in the foreground', async () => {
    const owner = await create('foreground');
    await create('foreground-child', { ...ownedBy(owner), finalizers: ['example.com/hold'] });
    await kube.delete(configMaps, 'foreground', { namespace, propagation: 'Foreground' });
    expect((await get('foreground'))?.metadata).toMatchObject({
      deletionTimestamp: expect.any(String),
      finalizers: ['foregroundDeletion'],
    });
    await until('the child is being deleted', async () => (await get('foreground-child'))?.metadata?.deletionTimestamp);
    expect(await get('foreground')).toBeDefined();
    await kube.patch(configMaps, 'foreground-child', { metadata: { finalizers: null } }, inNamespace);
    await gone(configMaps, 'foreground', namespace);
    expect(await get('foreground-child')).toBeUndefined();
  });

  it('stay as orphans, when asked so', async () => {
    const owner = await create('orphaning');
    await create('orphan', ownedBy(owner));
    await kube.delete(configMaps, 'orphaning', { namespace, propagation: 'Orphan' });
    await gone(configMaps, 'orphaning', namespace);
    expect((await kube.get(configMaps, 'orphan', inNamespace)).metadata?.ownerReferences ?? []).toEqual([]);
  });

  it('stay as long as one owner is left', async () => {
    const [one, two] = await Promise.all([create('owner-one'), create('owner-two')]);
    await create('shared-child', ownedBy(one, two));
    await kube.delete(configMaps, 'owner-one', { namespace, propagation: 'Background' });
    await until(
      'the reference to the lost owner is dropped',
      async () => (await kube.get(configMaps, 'shared-child', inNamespace)).metadata?.ownerReferences?.length === 1,
    );
    await kube.delete(configMaps, 'owner-two', { namespace, propagation: 'Background' });
    await gone(configMaps, 'shared-child', namespace);
  });

  it('of an owner that is not there go', async () => {
    await create('foundling', ownedByNobody('never-was'));
    await gone(configMaps, 'foundling', namespace);
  });

  it('of a namesake of their owner go', async () => {
    await create('namesake');
    await create('namesake-child', ownedByNobody('namesake'));
    await gone(configMaps, 'namesake-child', namespace);
    expect(await get('namesake')).toBeDefined();
  });

  it('have well-formed references', async () => {
    expect(
      await failureOf(create('malformed', { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: '', uid: '' }] })),
    ).toMatchObject({ code: 422, reason: 'Invalid' });
    const controller = { apiVersion: 'v1', kind: 'ConfigMap', controller: true };
    expect(
      await failureOf(
        create('malformed', {
          ownerReferences: [
            { ...controller, name: 'a', uid: 'a' },
            { ...controller, name: 'b', uid: 'b' },
          ],
        }),
      ),
    ).toMatchObject({ code: 422, status: { details: { causes: [{ field: 'metadata.ownerReferences' }] } } });
  });

  it('are removed from a deployment down, or kept', async () => {
    const deployment = (name: string) => ({
      metadata: { namespace, name },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: podSpec(scripts.idle) },
      },
    });
    const setsOf = async (name: string) => (await kube.list(replicaSets, { namespace, labelSelector: `app=${name}` })).items;
    for (const name of ['down', 'kept']) {
      await kube.create(deployments, deployment(name));
      await until('it has a replica set', async () => (await setsOf(name)).length === 1);
    }
    // The collector knows of these sets once it has taken one that came after them.
    const { metadata, spec } = deployment('stray');
    await kube.create(replicaSets, { metadata: { ...metadata, ...ownedByNobody('never-was') }, spec });
    await gone(replicaSets, 'stray', namespace);
    await kube.delete(deployments, 'down', { namespace, propagation: 'Foreground' });
    await gone(deployments, 'down', namespace);
    expect(await setsOf('down')).toEqual([]);
    await kube.delete(deployments, 'kept', { namespace, propagation: 'Orphan' });
    await gone(deployments, 'kept', namespace);
    expect((await setsOf('kept'))[0]?.metadata?.ownerReferences ?? []).toEqual([]);
  });
});

describe.concurrent('a namespace', () => {
  it('that is deleted admits nothing, waits for finalizers and takes everything with it', async () => {
    const name = uniqueName('conformance-terminating');
    await kube.create(namespaces, { metadata: { name } });
    await kube.create(configMaps, { metadata: { namespace: name, name: 'held', finalizers: ['example.com/hold'] } });
    await kube.create(configMaps, { metadata: { namespace: name, name: 'free' } });
    await kube.delete(namespaces, name);
    const terminating = await kube.get(namespaces, name);
    expect(terminating).toMatchObject({
      metadata: { deletionTimestamp: expect.any(String) },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Terminating' },
    });
    expect(await failureOf(kube.create(configMaps, { metadata: { namespace: name, name: 'new' } }))).toMatchObject({
      code: 403,
      reason: 'Forbidden',
      message: `configmaps "new" is forbidden: unable to create new content in namespace ${name} because it is being terminated`,
      status: {
        details: {
          causes: expect.arrayContaining([expect.objectContaining({ reason: 'NamespaceTerminating', field: 'metadata.namespace' })]),
        },
      },
    });
    await gone(configMaps, 'free', name);
    await until(
      'the held object is being deleted',
      async () => (await kube.get(configMaps, 'held', { namespace: name })).metadata?.deletionTimestamp,
    );
    await until('a condition tells what it waits for', async () =>
      (
        (await kube.get<Namespace>(namespaces, name)).status?.conditions as { type: string; status: string; message: string }[] | undefined
      )?.some(
        ({ type, status, message }) => type === 'NamespaceFinalizersRemaining' && status === 'True' && message.includes('example.com/hold'),
      ),
    );
    await kube.patch(configMaps, 'held', { metadata: { finalizers: null } }, { namespace: name });
    await gone(namespaces, name);
    expect(await kube.find(configMaps, 'held', { namespace: name })).toBeUndefined();
  });

  it('of the system is kept', async () => {
    expect(await failureOf(kube.delete(namespaces, 'default'))).toMatchObject({
      code: 403,
      reason: 'Forbidden',
      message: 'namespaces "default" is forbidden: this namespace may not be deleted',
    });
  });

  it('is Active, and named by a DNS label', async () => {
    expect((await kube.get(namespaces, namespace)).status?.phase).toBe('Active');
    expect(await failureOf(kube.create(namespaces, { metadata: { name: 'a.b' } }))).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: { details: { causes: [{ field: 'metadata.name' }] } },
    });
  });
});
