import { services } from '@skipper/api';
import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { ask, createNamespace, kube, minorVersion, pathOf, type Answer } from './support/cluster.ts';
import { configMaps, deployments } from './support/kinds.ts';
import { podSpec, scripts } from './support/pods.ts';
import { failureOf } from './support/until.ts';

const namespace = await createNamespace('patch');
const inNamespace = { namespace };
const create = (name: string, data: Record<string, string>) => kube.create(configMaps, { metadata: { namespace, name }, data });

describe('a JSON patch', () => {
  it('adds, replaces, moves, copies, tests and removes', async () => {
    await create('json', { a: '1', b: '2' });
    const patched = await kube.patch(
      configMaps,
      'json',
      [
        { op: 'test', path: '/data/a', value: '1' },
        { op: 'add', path: '/data/c', value: '3' },
        { op: 'replace', path: '/data/a', value: '4' },
        { op: 'copy', from: '/data/a', path: '/data/d' },
        { op: 'move', from: '/data/b', path: '/data/e' },
        { op: 'remove', path: '/data/c' },
        { op: 'add', path: '/metadata/labels', value: { 'a~b': 'x' } },
      ].filter(({ path }) => path !== '/metadata/labels'),
      inNamespace,
    );
    expect(patched.data).toEqual({ a: '4', d: '4', e: '2' });
    const escaped = await kube.patch(
      configMaps,
      'json',
      [
        { op: 'add', path: '/metadata/annotations', value: { 'example.com/x': '1' } },
        { op: 'replace', path: '/metadata/annotations/example.com~1x', value: '2' },
      ],
      inNamespace,
    );
    expect(escaped.metadata?.annotations).toEqual({ 'example.com/x': '2' });
  });

  it('changes nothing when a test fails', async () => {
    const before = await create('tested', { a: '1' });
    const error = await failureOf(
      kube.patch(
        configMaps,
        'tested',
        [
          { op: 'add', path: '/data/b', value: '2' },
          { op: 'test', path: '/data/a', value: 'no' },
        ],
        inNamespace,
      ),
    );
    expect(error).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(await kube.get(configMaps, 'tested', inNamespace)).toEqual(before);
  });

  it('of a path that is not there is impossible', async () => {
    await create('missing', { a: '1' });
    expect(await failureOf(kube.patch(configMaps, 'missing', [{ op: 'remove', path: '/data/z' }], inNamespace))).toMatchObject({
      code: 422,
      reason: 'Invalid',
    });
  });

  it('that is no list is malformed', async () => {
    await create('no-list', {});
    expect(
      await ask('PATCH', pathOf(configMaps, namespace, 'no-list'), {
        body: '{"op":"add"}',
        headers: { 'content-type': 'application/json-patch+json' },
      }),
    ).toMatchObject({ status: 400, body: { reason: 'BadRequest' } });
  });
});

describe('a merge patch', () => {
  it('sets, merges and removes', async () => {
    await create('merge', { a: '1', b: '2' });
    const patched = await kube.patch(configMaps, 'merge', { data: { a: null, c: '3' }, metadata: { labels: { x: 'y' } } }, inNamespace);
    expect(patched.data).toEqual({ b: '2', c: '3' });
    expect(patched.metadata?.labels).toEqual({ x: 'y' });
  });

  it('replaces lists', async () => {
    await kube.create(services, {
      metadata: { namespace, name: 'merge' },
      spec: {
        ports: [
          { name: 'a', port: 1 },
          { name: 'b', port: 2 },
        ],
      },
    });
    const patched = await kube.patch(services, 'merge', { spec: { ports: [{ name: 'c', port: 3 }] } }, inNamespace);
    expect(patched.spec?.ports).toEqual([{ name: 'c', port: 3, protocol: 'TCP', targetPort: 3 }]);
  });

  it('in a version that is gone is a conflict', async () => {
    const { metadata } = await create('versioned', { a: '1' });
    await kube.patch(configMaps, 'versioned', { data: { a: '2' } }, inNamespace);
    expect(
      await failureOf(
        kube.patch(configMaps, 'versioned', { metadata: { resourceVersion: metadata?.resourceVersion }, data: { a: '3' } }, inNamespace),
      ),
    ).toMatchObject({ code: 409, reason: 'Conflict' });
  });

  it('cannot change name, uid or kind', async () => {
    await create('identity', {});
    for (const patch of [
      { metadata: { name: 'other' } },
      { metadata: { uid: '11111111-2222-3333-4444-555555555555' } },
      { kind: 'Secret' },
    ]) {
      expect([400, 409, 422], JSON.stringify(patch)).toContain(
        ((await failureOf(kube.patch(configMaps, 'identity', patch, inNamespace))) as { code: number }).code,
      );
    }
  });

  it('is validated', async () => {
    await create('validated', {});
    expect(await failureOf(kube.patch(configMaps, 'validated', { data: { 'a b': 'x' } }, inNamespace))).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: { details: { causes: [{ field: 'data[a b]' }] } },
    });
    expect([400, 422]).toContain(
      ((await failureOf(kube.patch(configMaps, 'validated', { data: 'x' }, inNamespace))) as { code: number }).code,
    );
  });

  it('with garbage is malformed', async () => {
    await create('garbage', {});
    const answer = await ask('PATCH', pathOf(configMaps, namespace, 'garbage'), {
      body: '{"data":',
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    // Early versions take it for a failure of their own.
    expect(answer.status).toBe(minorVersion < 24 ? 500 : 400);
    expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure' });
  });
});

describe('a strategic merge patch', () => {
  const patch = (name: string, body: object): Promise<Answer<Deployment>> =>
    ask<Deployment>('PATCH', pathOf(deployments, namespace, name), {
      body,
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
    });
  const createDeployment = (name: string) =>
    kube.create(deployments, {
      metadata: { namespace, name },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: {
            ...podSpec(scripts.idle, {
              container: {
                env: [
                  { name: 'A', value: '1' },
                  { name: 'B', value: '2' },
                ],
                args: ['a', 'b'],
                ports: [{ containerPort: 1 }],
              },
            }),
            tolerations: [{ key: 'a', operator: 'Exists' }],
          },
        },
      },
    });
  const containersOf = ({ body }: Answer<Deployment>) => body.spec?.template.spec?.containers ?? [];

  it('merges lists by their key', async () => {
    await createDeployment('merged');
    const patched = await patch('merged', {
      spec: {
        template: {
          spec: {
            containers: [
              {
                name: 'main',
                env: [
                  { name: 'B', value: '3' },
                  { name: 'C', value: '4' },
                ],
              },
              { name: 'side', image: 'node:22-alpine' },
            ],
          },
        },
      },
    });
    expect(patched.status).toBe(200);
    expect(
      containersOf(patched)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['main', 'side']);
    expect(containersOf(patched).find(({ name }) => name === 'main')?.env).toEqual(
      expect.arrayContaining([
        { name: 'A', value: '1' },
        { name: 'B', value: '3' },
        { name: 'C', value: '4' },
      ]),
    );
  });

  it('replaces lists without a key', async () => {
    await createDeployment('replaced');
    const patched = await patch('replaced', {
      spec: { template: { spec: { containers: [{ name: 'main', args: ['c'] }], tolerations: [] } } },
    });
    expect(containersOf(patched)[0]?.args).toEqual(['c']);
    expect(patched.body.spec?.template.spec?.tolerations ?? []).toEqual([]);
  });

  it('deletes and replaces by directives', async () => {
    await createDeployment('directives');
    const deleted = await patch('directives', {
      spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'A', $patch: 'delete' }] }] } } },
    });
    expect(containersOf(deleted)[0]?.env).toEqual([{ name: 'B', value: '2' }]);
    const replaced = await patch('directives', {
      spec: { template: { spec: { containers: [{ name: 'main', env: [{ $patch: 'replace' }, { name: 'Z', value: '9' }] }] } } },
    });
    expect(containersOf(replaced)[0]?.env).toEqual([{ name: 'Z', value: '9' }]);
    const strategy = await patch('directives', { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } });
    expect(strategy.body.spec?.strategy).toEqual({ type: 'Recreate' });
  });

  it('sets the order of a list', async () => {
    await createDeployment('ordered');
    const patched = await patch('ordered', {
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'main', '$setElementOrder/env': [{ name: 'C' }, { name: 'B' }, { name: 'A' }], env: [{ name: 'C', value: '3' }] },
            ],
          },
        },
      },
    });
    expect(containersOf(patched)[0]?.env?.map(({ name }) => name)).toEqual(['C', 'B', 'A']);
  });
});
