import { services, statefulSets } from '@skipper/api';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { ManagedFieldsEntry } from 'kubernetes-types/meta/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { ask, createNamespace, kube, minorVersion, pathOf } from './support/cluster.ts';
import { configMaps, deployments } from './support/kinds.ts';
import { podSpec, scripts } from './support/pods.ts';
import { failureOf } from './support/until.ts';

const namespace = await createNamespace('apply');
const inNamespace = { namespace };
const apply = (name: string, data: Record<string, string>, fieldManager = 'one', force = false) =>
  kube.apply(configMaps, { metadata: { namespace, name }, data }, { fieldManager, force });
const entryOf = (object: { metadata?: { managedFields?: ManagedFieldsEntry[] } }, manager: string) =>
  object.metadata?.managedFields?.find((entry) => entry.manager === manager);

describe('server-side apply', () => {
  it('creates, changes and says who owns what', async () => {
    const created = await apply('owned', { a: '1', b: '2' });
    expect(created).toMatchObject({ kind: 'ConfigMap', data: { a: '1', b: '2' } });
    expect(entryOf(created, 'one')).toMatchObject({
      operation: 'Apply',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:data': { 'f:a': {}, 'f:b': {} } },
      time: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const changed = await apply('owned', { a: '3', b: '2' });
    expect(changed.data).toEqual({ a: '3', b: '2' });
    expect(changed.metadata?.uid).toBe(created.metadata?.uid);
  });

  it('keeps the version when nothing changes', async () => {
    const first = await apply('unchanged', { a: '1' });
    // Times have whole seconds: the version must stay in a later one too.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const again = await apply('unchanged', { a: '1' });
    expect(again.metadata?.resourceVersion).toBe(first.metadata?.resourceVersion);
    expect(again).toEqual(first);
  });

  it('removes what its manager no longer names and nobody else owns', async () => {
    await apply('removed', { a: '1', b: '2', c: '3' });
    await apply('removed', { b: '2' }, 'two');
    const applied = await apply('removed', { c: '3' });
    expect(applied.data).toEqual({ b: '2', c: '3' });
    expect(entryOf(applied, 'one')?.fieldsV1).toEqual({ 'f:data': { 'f:c': {} } });
  });

  it('of a value that another manager set differently is a conflict', async () => {
    await apply('contested', { a: '1' });
    const error = await failureOf(apply('contested', { a: '2' }, 'two'));
    expect(error).toMatchObject({
      code: 409,
      reason: 'Conflict',
      status: { details: { causes: [{ reason: 'FieldManagerConflict', field: '.data.a', message: 'conflict with "one"' }] } },
    });
    expect((error as Error).message).toContain('Apply failed with 1 conflict: conflict with "one": .data.a');
    expect((await kube.get(configMaps, 'contested', inNamespace)).data).toEqual({ a: '1' });
  });

  it('by force takes over', async () => {
    await apply('forced', { a: '1', b: '1' });
    const forced = await apply('forced', { a: '2' }, 'two', true);
    expect(forced.data).toEqual({ a: '2', b: '1' });
    expect(entryOf(forced, 'two')?.fieldsV1).toEqual({ 'f:data': { 'f:a': {} } });
    expect(entryOf(forced, 'one')?.fieldsV1).toEqual({ 'f:data': { 'f:b': {} } });
    expect(await failureOf(apply('forced', { a: '1', b: '1' }))).toMatchObject({ code: 409 });
  });

  it('of the same value shares it', async () => {
    await apply('shared', { a: '1' });
    const both = await apply('shared', { a: '1' }, 'two');
    expect(entryOf(both, 'one')?.fieldsV1).toEqual({ 'f:data': { 'f:a': {} } });
    expect(entryOf(both, 'two')?.fieldsV1).toEqual({ 'f:data': { 'f:a': {} } });
    const left = await apply('shared', {}, 'one');
    expect(left.data).toEqual({ a: '1' });
    expect((await apply('shared', {}, 'two')).data ?? {}).toEqual({});
  });

  it('conflicts with fields of an update', async () => {
    await kube.create(configMaps, { metadata: { namespace, name: 'updated' }, data: { a: '1' } }, { fieldManager: 'editor' });
    const error = await failureOf(apply('updated', { a: '2' }));
    expect(error).toMatchObject({ code: 409, reason: 'Conflict', status: { details: { causes: [{ field: '.data.a' }] } } });
    expect((error as Error).message).toMatch(/conflict with "editor" using v1( at \S+)?: \.data\.a$/);
  });

  it('is told when an update takes a field away', async () => {
    await apply('taken', { a: '1', b: '1' });
    const updated = await kube.patch(configMaps, 'taken', { data: { a: '2' } }, { namespace, fieldManager: 'editor' });
    expect(entryOf(updated, 'one')?.fieldsV1).toEqual({ 'f:data': { 'f:b': {} } });
    expect(entryOf(updated, 'editor')).toMatchObject({ operation: 'Update', fieldsV1: { 'f:data': { 'f:a': {} } } });
    expect(await failureOf(apply('taken', { a: '1', b: '1' }))).toMatchObject({ code: 409 });
  });

  it('needs a field manager', async () => {
    const answer = await ask('PATCH', pathOf(configMaps, namespace, 'nobody'), {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'nobody' } },
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    expect([400, 422]).toContain(answer.status);
    expect(await kube.find(configMaps, 'nobody', inNamespace)).toBeUndefined();
  });

  it('takes YAML', async () => {
    const answer = await ask<ConfigMap>('PATCH', `${pathOf(configMaps, namespace, 'yaml')}?fieldManager=one`, {
      body: `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  a: |\n    two\n    lines\n`,
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    expect(answer).toMatchObject({ status: 201, body: { data: { a: 'two\nlines\n' } } });
  });

  it('refuses managed fields and other names', async () => {
    expect(
      await failureOf(
        kube.apply(
          configMaps,
          { metadata: { namespace, name: 'x', managedFields: [{ manager: 'x', operation: 'Apply' }] } },
          { fieldManager: 'one' },
        ),
      ),
    ).toMatchObject({ code: 400, reason: 'BadRequest' });
    const answer = await ask('PATCH', `${pathOf(configMaps, namespace, 'path')}?fieldManager=one`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'body' } },
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    expect([400, 422]).toContain(answer.status);
  });

  it('in a dry run changes nothing', async () => {
    await apply('dry', { a: '1' });
    const tried = await kube.apply(
      configMaps,
      { metadata: { namespace, name: 'dry' }, data: { a: '2' } },
      { fieldManager: 'one', dryRun: true },
    );
    expect(tried.data).toEqual({ a: '2' });
    expect((await kube.get(configMaps, 'dry', inNamespace)).data).toEqual({ a: '1' });
    expect(
      (await kube.apply(configMaps, { metadata: { namespace, name: 'dry-new' } }, { fieldManager: 'one', dryRun: true })).metadata?.name,
    ).toBe('dry-new');
    expect(await kube.find(configMaps, 'dry-new', inNamespace)).toBeUndefined();
  });

  it('merges lists by their keys, each element with owners of its own', async () => {
    const spec = (name: string, env: { name: string; value: string }[]) => ({
      metadata: { namespace, name },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: podSpec(scripts.idle, { container: { env, ports: [{ containerPort: 80, protocol: 'TCP' }] } }),
        },
      },
    });
    const first = await kube.apply(
      deployments,
      spec('keys', [
        { name: 'A', value: '1' },
        { name: 'B', value: '1' },
      ]),
      { fieldManager: 'one' },
    );
    expect(entryOf(first, 'one')?.fieldsV1).toMatchObject({
      'f:spec': {
        'f:template': {
          'f:spec': {
            'f:containers': {
              'k:{"name":"main"}': {
                'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
                'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': {} },
              },
            },
          },
        },
      },
    });
    const other = {
      metadata: { namespace, name: 'keys' },
      spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'C', value: '1' }] }] } } },
    };
    await kube.apply(deployments, other as never, { fieldManager: 'two' });
    const last = await kube.apply(deployments, spec('keys', [{ name: 'A', value: '2' }]), { fieldManager: 'one' });
    expect(last.spec?.template.spec?.containers[0]?.env).toEqual(
      expect.arrayContaining([
        { name: 'A', value: '2' },
        { name: 'C', value: '1' },
      ]),
    );
    expect(last.spec?.template.spec?.containers[0]?.env).toHaveLength(2);
    const gone = await kube.apply(deployments, { metadata: { namespace, name: 'keys' } } as never, { fieldManager: 'two' });
    expect(gone.spec?.template.spec?.containers[0]?.env).toEqual([{ name: 'A', value: '2' }]);
  });

  it('treats finalizers and port lists as sets', async () => {
    const named = { namespace, name: 'sets' };
    await kube.apply(
      services,
      { metadata: { ...named, finalizers: ['example.com/a'] }, spec: { ports: [{ port: 1, name: 'a', protocol: 'TCP' }] } },
      { fieldManager: 'one' },
    );
    const both = await kube.apply(
      services,
      { metadata: { ...named, finalizers: ['example.com/b'] }, spec: { ports: [{ port: 2, name: 'b', protocol: 'TCP' }] } },
      { fieldManager: 'two' },
    );
    expect(both.metadata?.finalizers?.toSorted()).toEqual(['example.com/a', 'example.com/b']);
    expect(both.spec?.ports?.map(({ port }) => port).sort()).toEqual([1, 2]);
    expect(entryOf(both, 'one')?.fieldsV1).toMatchObject({ 'f:metadata': { 'f:finalizers': { 'v:"example.com/a"': {} } } });
    const less = await kube.apply(
      services,
      { metadata: named, spec: { ports: [{ port: 2, name: 'b', protocol: 'TCP' }] } },
      { fieldManager: 'two' },
    );
    expect(less.metadata?.finalizers).toEqual(['example.com/a']);
    await kube.patch(services, 'sets', { metadata: { finalizers: null } }, inNamespace);
  });

  it('of the status is apart from that of the spec', async () => {
    const named = { namespace, name: 'status' };
    await kube.apply(
      statefulSets,
      {
        metadata: named,
        spec: {
          replicas: 0,
          serviceName: 'status',
          selector: { matchLabels: { app: 'status' } },
          template: { metadata: { labels: { app: 'status' } }, spec: podSpec(scripts.idle) },
        },
      },
      { fieldManager: 'one' },
    );
    const written = await kube.apply(
      statefulSets,
      { metadata: named, status: { replicas: 0, conditions: [{ type: 'Tested', status: 'True' }] } } as never,
      { fieldManager: 'status-writer', subresource: 'status', force: true },
    );
    expect(written.status?.conditions).toMatchObject([{ type: 'Tested', status: 'True' }]);
    if (minorVersion >= 22) expect(entryOf(written, 'status-writer')).toMatchObject({ operation: 'Apply', subresource: 'status' });
    const again = await kube.apply(
      statefulSets,
      {
        metadata: named,
        spec: {
          replicas: 0,
          serviceName: 'status',
          selector: { matchLabels: { app: 'status' } },
          template: { metadata: { labels: { app: 'status' } }, spec: podSpec(scripts.idle) },
        },
      },
      { fieldManager: 'one' },
    );
    expect(again.metadata?.generation).toBe(1);
  });

  it('is validated', async () => {
    expect(await failureOf(apply('invalid', { 'a b': '1' }))).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: { details: { causes: [{ field: 'data[a b]' }] } },
    });
    expect(
      (
        (await failureOf(
          kube.apply(configMaps, { metadata: { namespace, name: 'invalid' }, data: 'x' } as never, { fieldManager: 'one' }),
        )) as { code: number }
      ).code,
    ).toBeGreaterThanOrEqual(400);
  });
});
