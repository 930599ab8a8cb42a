import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import type { ApiObject } from '../../contracts.ts';
import { patchApi } from '../../patch/index.ts';
import { schemaApi } from '../../schema/index.ts';
import { ObjectStore } from '../store/object-store.ts';
import { deleteObject } from './object-deleter.ts';
import { startLifecycle } from './lifecycle.ts';
import { ObjectWriter } from './object-writer.ts';
import { createRegistry } from './registry.ts';

const options = { dryRun: false, fieldManager: 'test', fieldValidation: 'Ignore', warn: () => undefined } as const;

/** What a definition says of its objects. */
const versions = (required: string[]) => [
  {
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: 'object', required, properties: { size: { type: 'string' } } } },
  },
];

it('what fails is tried again once at a time, however often its object changes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lifecycle-'));
  const store = await ObjectStore.open(folder);
  const registry = createRegistry(store);
  const writer = new ObjectWriter(store, schemaApi, patchApi);
  const logged: string[] = [];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const lifecycle = startLifecycle(writer, registry, (line) => logged.push(line));
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await nextTurn();
  };
  const kind = (group: string, name: string) => registry.byKind(group, 'v1', name)!;
  const change = (target: [group: string, kind: string, name: string], edit: (object: ApiObject) => void) =>
    writer.change(
      { kind: kind(target[0], target[1]), namespace: undefined, name: target[2], subresource: '' },
      (object) => (edit(object), object),
      options,
    );
  try {
    await writer.create(
      kind('apiextensions.k8s.io', 'CustomResourceDefinition'),
      undefined,
      {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: 'things.test.dev' },
        spec: {
          group: 'test.dev',
          scope: 'Cluster',
          names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
          versions: versions([]),
        },
      },
      options,
    );
    const thing = (metadata: object): ApiObject => ({ apiVersion: 'test.dev/v1', kind: 'Thing', metadata });
    const owner = await writer.create(kind('test.dev', 'Thing'), undefined, thing({ name: 'owner' }), options);
    const ownerReferences = [{ apiVersion: 'test.dev/v1', kind: 'Thing', name: 'owner', uid: owner.metadata.uid! }];
    await writer.create(kind('test.dev', 'Thing'), undefined, thing({ name: 'owned', ownerReferences }), options);
    const restrict = (required: string[]) =>
      change(['apiextensions.k8s.io', 'CustomResourceDefinition', 'things.test.dev'], ({ spec }) => (spec.versions = versions(required)));
    await change(['test.dev', 'Thing', 'owner'], (object) => (object['size'] = '1'));
    await restrict(['size']);
    await deleteObject(writer, kind('test.dev', 'Thing'), undefined, 'owner', { ...options, propagationPolicy: 'Orphan' });
    await until(() => logged.length > 0);
    for (let count = 1; count <= 5; count++) {
      const before = logged.length;
      await change(['test.dev', 'Thing', 'owner'], ({ metadata }) => (metadata.labels = { count: String(count) }));
      await until(() => logged.length > before);
    }
    expect(vi.getTimerCount()).toBe(1);
    await restrict([]);
    vi.runOnlyPendingTimers();
    await until(() => store.list('test.dev/things').length === 1);
    expect(store.list('test.dev/things')[0]!.metadata.ownerReferences).toBeUndefined();
  } finally {
    vi.useRealTimers();
    await lifecycle.close();
    await store.close();
    await rm(folder, { recursive: true });
  }
});
