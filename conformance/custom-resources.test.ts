import { customResourceDefinitions, namespaces, type KubeObject, type ResourceType } from '@skipper/api';
import { KubeError } from '@skipper/kube';
import type { CustomResourceDefinition } from 'kubernetes-types/apiextensions/v1.d.ts';
import type { APIResourceList } from 'kubernetes-types/meta/v1.d.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, createNamespace, gone, kube, minorVersion, pathOf, uniqueName } from './support/cluster.ts';
import { failureOf, until } from './support/until.ts';

interface Boat extends KubeObject {
  spec?: {
    size?: string;
    crew?: number;
    tags?: string[];
    ports?: { name: string; depth?: number }[];
    rig?: object;
    [field: string]: unknown;
  };
  status?: { [field: string]: unknown };
}

const namespace = await createNamespace('custom');
const inNamespace = { namespace };
const group = `${uniqueName('conformance')}.example.com`;
const boats: ResourceType<Boat> = { group, version: 'v1', kind: 'Boat', plural: 'boats', namespaced: true };

// The types lack the fields of the schema that begin with x-kubernetes-.
const definition = {
  metadata: { name: `boats.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { kind: 'Boat', listKind: 'BoatList', plural: 'boats', singular: 'boat', shortNames: ['bt'], categories: ['fleet'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.crew', statusReplicasPath: '.status.crew' } },
        additionalPrinterColumns: [
          { name: 'Size', type: 'string', jsonPath: '.spec.size' },
          { name: 'Crew', type: 'integer', jsonPath: '.spec.crew' },
          { name: 'Afloat', type: 'string', jsonPath: '.status.conditions[?(@.type=="Afloat")].status' },
          { name: 'Detail', type: 'string', jsonPath: '.status.detail', priority: 1 },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                required: ['size'],
                properties: {
                  size: { type: 'string', enum: ['small', 'large'], description: 'How big the boat is.' },
                  crew: { type: 'integer', minimum: 0, maximum: 10, default: 2 },
                  name: { type: 'string', pattern: '^[a-z]+$', minLength: 2, maxLength: 5 },
                  tags: { type: 'array', items: { type: 'string' }, maxItems: 3, 'x-kubernetes-list-type': 'set' },
                  ports: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: { name: { type: 'string' }, depth: { type: 'integer', default: 3 } },
                    },
                  },
                  rig: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                  size2: { 'x-kubernetes-int-or-string': true },
                  launched: { type: 'string', format: 'date-time' },
                  maybe: { type: 'string', nullable: true },
                  labels: { type: 'object', additionalProperties: { type: 'string' } },
                },
                ...(minorVersion < 29
                  ? {}
                  : {
                      'x-kubernetes-validations': [
                        { rule: 'self.size == oldSelf.size', message: 'the size cannot change' },
                        { rule: '!has(self.crew) || self.size == "large" || self.crew < 5', message: 'a small boat has a small crew' },
                      ],
                    }),
              },
              status: {
                type: 'object',
                properties: {
                  detail: { type: 'string' },
                  crew: { type: 'integer' },
                  conditions: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['type'],
                    items: { type: 'object', required: ['type'], properties: { type: { type: 'string' }, status: { type: 'string' } } },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
} as object as CustomResourceDefinition;

const boat = (name: string, spec: Boat['spec']): Boat => ({ metadata: { namespace, name }, spec });
const causesOf = async (attempt: Promise<unknown>) => {
  const error = await failureOf(attempt);
  expect(error).toMatchObject({ code: 422, reason: 'Invalid' });
  return (error as KubeError).status.details?.causes?.map(({ reason, field }) => `${field}: ${reason}`);
};

beforeAll(async () => {
  const created = await kube.create(customResourceDefinitions, definition);
  expect(created.spec.versions[0]?.name).toBe('v1');
  await until('the definition is established', async () =>
    (await kube.get(customResourceDefinitions, definition.metadata!.name!)).status?.conditions?.some(
      ({ type, status }) => type === 'Established' && status === 'True',
    ),
  );
  await until('its resources are served', async () => (await ask('GET', pathOf(boats, namespace))).status === 200);
});
afterAll(async () => {
  await kube.delete(customResourceDefinitions, definition.metadata!.name!);
});

describe('a custom resource definition', () => {
  it('names are accepted and stored versions are told', async () => {
    const { status } = await kube.get(customResourceDefinitions, definition.metadata!.name!);
    expect(status).toMatchObject({
      acceptedNames: { kind: 'Boat', plural: 'boats', singular: 'boat', shortNames: ['bt'], categories: ['fleet'] },
      storedVersions: ['v1'],
    });
    expect(status?.conditions?.find(({ type }) => type === 'NamesAccepted')?.status).toBe('True');
  });

  it('shows in discovery', async () => {
    const resources = await until('discovery has it', async () => {
      const { body, status } = await ask<APIResourceList>('GET', `/apis/${group}/v1`);
      return status === 200 && body.resources.length >= 3 && body.resources;
    });
    expect(resources.find(({ name }) => name === 'boats')).toMatchObject({
      kind: 'Boat',
      singularName: 'boat',
      namespaced: true,
      shortNames: ['bt'],
      categories: ['fleet'],
    });
    expect(resources.map(({ name }) => name).sort()).toEqual(['boats', 'boats/scale', 'boats/status']);
  });

  it.each([
    ['whose name is not plural and group', { metadata: { name: 'wrong.example.com' } }],
    ['without a schema', { spec: { ...definition.spec, versions: [{ name: 'v1', served: true, storage: true }] } }],
    ['that stores no version', { spec: { ...definition.spec, versions: [{ ...definition.spec.versions[0]!, storage: false }] } }],
    [
      'whose schema is not structural',
      {
        spec: {
          ...definition.spec,
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: 'object', properties: { spec: { properties: {} } } } },
            },
          ],
        },
      },
    ],
  ])('%s is invalid', async (_, change) => {
    expect(
      await failureOf(kube.create(customResourceDefinitions, { ...definition, ...change } as CustomResourceDefinition, { dryRun: true })),
    ).toMatchObject({ code: 422, reason: 'Invalid' });
  });
});

describe('a custom resource', () => {
  it('is defaulted, pruned and counted', async () => {
    const created = await kube.create(boats, {
      ...boat('defaults', { size: 'small', unknown: 1, ports: [{ name: 'a' }], rig: { any: { thing: [1, 'two', null] } } }),
      status: { detail: 'ignored' },
    });
    expect(created).toMatchObject({ apiVersion: `${group}/v1`, kind: 'Boat', metadata: { generation: 1 } });
    expect(created.spec).toEqual({ size: 'small', crew: 2, ports: [{ name: 'a', depth: 3 }], rig: { any: { thing: [1, 'two', null] } } });
    expect(created).not.toHaveProperty('status');
    const changed = await kube.patch(boats, 'defaults', { spec: { crew: 3 }, metadata: { labels: { a: 'b' } } }, inNamespace);
    expect(changed.metadata?.generation).toBe(2);
    expect((await kube.patch(boats, 'defaults', { metadata: { labels: { a: 'c' } } }, inNamespace)).metadata?.generation).toBe(2);
  });

  it('is validated field by field', async () => {
    const create = (spec: object) => kube.create(boats, boat('invalid', spec as Boat['spec']));
    expect(await causesOf(create({}))).toContain('spec.size: FieldValueRequired');
    expect(await causesOf(create({ size: 'huge' }))).toContain('spec.size: FieldValueNotSupported');
    expect(await causesOf(create({ size: 'large', crew: 11 }))).toContain('spec.crew: FieldValueInvalid');
    expect(await causesOf(create({ size: 'large', crew: 'two' }))).toContain(
      'spec.crew: FieldValueTypeInvalid'.replace('Type', minorVersion < 24 ? '' : 'Type'),
    );
    expect(await causesOf(create({ size: 'large', name: 'A1' }))).toContain('spec.name: FieldValueInvalid');
    expect((await causesOf(create({ size: 'large', tags: ['a', 'a'] })))?.join()).toContain('spec.tags[1]: FieldValueDuplicate');
    expect((await causesOf(create({ size: 'large', ports: [{ name: 'a' }, { name: 'a' }] })))?.join()).toContain(
      'spec.ports[1]: FieldValueDuplicate',
    );
    // Early versions do not say which item.
    expect((await causesOf(create({ size: 'large', ports: [{}] })))?.join()).toMatch(
      minorVersion < 21 ? /spec\.ports.*name: FieldValueRequired/ : /spec\.ports\[0\]\.name: FieldValueRequired/,
    );
    expect((await causesOf(create({ size: 'large', tags: ['a', 'b', 'c', 'd'] })))?.[0]).toMatch(/^spec\.tags: FieldValue/);
    expect((await causesOf(create({ size: 'large', launched: 'yesterday' })))?.[0]).toMatch(/^spec\.launched: FieldValue/);
    expect(await causesOf(create({ size: 'large', size2: true }))).toContain(
      'spec.size2: FieldValueTypeInvalid'.replace('Type', minorVersion < 24 ? '' : 'Type'),
    );
    expect(await kube.find(boats, 'invalid', inNamespace)).toBeUndefined();
  });

  it('may hold null where null is allowed, and drops it where a default stands', async () => {
    const created = await kube.create(boats, boat('nulls', { size: 'small', maybe: null, crew: null as never }));
    expect(created.spec).toEqual({ size: 'small', maybe: null, crew: 2 });
  });

  it.skipIf(minorVersion < 29)('is held to validation rules, those on change too (Kubernetes 1.29 and later)', async () => {
    const error = await failureOf(kube.create(boats, boat('ruled', { size: 'small', crew: 7 })));
    expect(error).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: {
        details: {
          causes: [{ field: 'spec', reason: 'FieldValueInvalid', message: expect.stringContaining('a small boat has a small crew') }],
        },
      },
    });
    await kube.create(boats, boat('ruled', { size: 'large', crew: 7 }));
    expect(((await failureOf(kube.patch(boats, 'ruled', { spec: { size: 'small', crew: 1 } }, inNamespace))) as Error).message).toContain(
      'the size cannot change',
    );
  });

  it.skipIf(minorVersion < 27)('is held to its known fields by Strict field validation (Kubernetes 1.27 and later)', async () => {
    const answer = await ask('POST', `${pathOf(boats, namespace)}?fieldValidation=Strict`, {
      body: { apiVersion: `${group}/v1`, kind: 'Boat', metadata: { name: 'strict' }, spec: { size: 'small', sail: 1 } },
    });
    expect(answer).toMatchObject({ status: 400, body: { reason: 'BadRequest' } });
    expect(answer.body.message).toContain('strict decoding error: unknown field "spec.sail"');
  });

  it('has its status written apart', async () => {
    await kube.create(boats, boat('status', { size: 'small' }));
    const written = await kube.patch(
      boats,
      'status',
      { spec: { crew: 4 }, status: { detail: 'dry', conditions: [{ type: 'Afloat', status: 'False' }], unknown: 1 } },
      { namespace, subresource: 'status' },
    );
    expect(written).toMatchObject({
      metadata: { generation: 1 },
      spec: { crew: 2 },
      status: { detail: 'dry', conditions: [{ type: 'Afloat', status: 'False' }] },
    });
    expect(written.status).not.toHaveProperty('unknown');
    const changed = await kube.patch(boats, 'status', { spec: { crew: 3 }, status: { detail: 'wet' } }, inNamespace);
    expect(changed).toMatchObject({ metadata: { generation: 2 }, spec: { crew: 3 }, status: { detail: 'dry' } });
    expect(await failureOf(kube.patch(boats, 'status', { status: { detail: 5 } }, { namespace, subresource: 'status' }))).toMatchObject({
      code: 422,
      reason: 'Invalid',
    });
  });

  it('scales', async () => {
    await kube.create(boats, boat('scale', { size: 'small' }));
    const path = `${pathOf(boats, namespace, 'scale')}/scale`;
    expect(await ask('GET', path)).toMatchObject({
      status: 200,
      body: { apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 2 }, status: { replicas: 0 } },
    });
    expect(
      await ask('PATCH', path, { body: { spec: { replicas: 4 } }, headers: { 'content-type': 'application/merge-patch+json' } }),
    ).toMatchObject({ status: 200, body: { spec: { replicas: 4 } } });
    expect((await kube.get(boats, 'scale', inNamespace)).spec?.crew).toBe(4);
  });

  it('prints as a table with its columns', async () => {
    await kube.create(boats, boat('table', { size: 'large' }));
    await kube.patch(
      boats,
      'table',
      {
        status: {
          detail: 'x',
          conditions: [
            { type: 'Other', status: 'False' },
            { type: 'Afloat', status: 'True' },
          ],
        },
      },
      { namespace, subresource: 'status' },
    );
    const { body } = await ask<{ columnDefinitions: { name: string; type: string; priority: number }[]; rows: { cells: unknown[] }[] }>(
      'GET',
      pathOf(boats, namespace, 'table'),
      { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } },
    );
    expect(body.columnDefinitions.map(({ name, type, priority }) => `${name} ${type} ${priority}`)).toEqual([
      'Name string 0',
      'Size string 0',
      'Crew integer 0',
      'Afloat string 0',
      'Detail string 1',
      'Age date 0',
    ]);
    expect(body.rows.map(({ cells }) => cells)).toEqual([['table', 'large', 2, 'True', 'x', expect.stringMatching(/^\d+s$/)]]);
  });

  it.skipIf(minorVersion < 21)(
    'is applied with the list types of its schema (Kubernetes 1.20 takes a list of a custom resource whole)',
    async () => {
      const apply = (name: string, spec: object, fieldManager: string) =>
        kube.apply(boats, { metadata: { namespace, name }, spec } as Boat, { fieldManager });
      await apply('applied', { size: 'small', ports: [{ name: 'a', depth: 1 }], tags: ['x'] }, 'one');
      const both = await apply('applied', { ports: [{ name: 'b', depth: 2 }], tags: ['y'] }, 'two');
      expect(both.spec?.ports).toEqual([
        { name: 'a', depth: 1 },
        { name: 'b', depth: 2 },
      ]);
      expect(both.spec?.tags?.toSorted()).toEqual(['x', 'y']);
      const error = await failureOf(apply('applied', { ports: [{ name: 'a', depth: 9 }] }, 'two'));
      expect(error).toMatchObject({ code: 409, status: { details: { causes: [{ field: '.spec.ports[name="a"].depth' }] } } });
      const gone = await apply('applied', { size: 'small', tags: ['x'] }, 'one');
      expect(gone.spec?.ports).toEqual([{ name: 'b', depth: 2 }]);
    },
  );

  it('cannot be patched strategically', async () => {
    await kube.create(boats, boat('strategic', { size: 'small' }));
    expect(
      await ask('PATCH', pathOf(boats, namespace, 'strategic'), {
        body: {},
        headers: { 'content-type': 'application/strategic-merge-patch+json' },
      }),
    ).toMatchObject({ status: 415, body: { reason: 'UnsupportedMediaType' } });
  });

  it('is watched', async () => {
    const { resourceVersion } = await kube.list(boats, inNamespace);
    await kube.create(boats, boat('watched', { size: 'small' }));
    for await (const { type, object } of kube.watch(boats, { namespace, resourceVersion, timeoutSeconds: 20 })) {
      if (type === 'BOOKMARK') continue;
      expect(type).toBe('ADDED');
      expect(object).toMatchObject({ apiVersion: `${group}/v1`, kind: 'Boat', metadata: { name: 'watched' }, spec: { crew: 2 } });
      break;
    }
  });

  it('cannot be watched from before its kind was served', async () => {
    const error = await failureOf(
      (async () => {
        for await (const { type } of kube.watch(boats, { namespace, resourceVersion: '1', timeoutSeconds: 2 })) expect(type).toBeTruthy();
      })(),
    );
    expect(error).toMatchObject({ code: 410, reason: 'Expired', message: expect.stringMatching(/^too old resource version: 1 \(\d+\)$/) });
  });
});

describe('a deleted definition', () => {
  it('takes its objects with it and is served no longer', async () => {
    const kites: ResourceType = { group, version: 'v1', kind: 'Kite', plural: 'kites', namespaced: true };
    const name = `kites.${group}`;
    await kube.create(customResourceDefinitions, {
      metadata: { name },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind: 'Kite', plural: 'kites' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    } as object as CustomResourceDefinition);
    await until('kites are served', () => kube.create(kites, { metadata: { namespace, name: 'a', finalizers: ['example.com/hold'] } }));
    await kube.delete(customResourceDefinitions, name);
    await until('its object is being deleted', async () => (await kube.find(kites, 'a', inNamespace))?.metadata?.deletionTimestamp);
    expect((await kube.get(customResourceDefinitions, name)).metadata?.finalizers).toEqual(['customresourcecleanup.apiextensions.k8s.io']);
    await kube.patch(kites, 'a', { metadata: { finalizers: null } }, inNamespace);
    await gone(customResourceDefinitions, name);
    await until('kites are not served', async () => (await ask('GET', pathOf(kites, namespace))).status === 404);
  });

  it.each([
    ['another version is', { v1: false, v2: true }],
    ['none is', { v1: false, v2: false }],
  ])('takes objects of a version that is served no longer with it, as does their namespace: %s', async (_, served) => {
    const plural = uniqueName('rafts').replace('-', '');
    const kind = plural.replace('r', 'R');
    const rafts: ResourceType = { group, version: 'v1', kind, plural, namespaced: true };
    const name = `${plural}.${group}`;
    const versions = (served: Record<string, boolean>, stored: string) =>
      Object.entries(served).map(([version, isServed]) => ({
        name: version,
        served: isServed,
        storage: version === stored,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      }));
    const spec = { group, scope: 'Namespaced', names: { kind, plural }, versions: versions({ v1: true, v2: true }, 'v1') };
    await kube.create(customResourceDefinitions, { metadata: { name }, spec } as object as CustomResourceDefinition);
    const other = uniqueName('conformance-rafts');
    await kube.create(namespaces, { metadata: { name: other } });
    await until('rafts are served', () => kube.create(rafts, { metadata: { namespace: other, name: 'a' } }));
    await kube.create(rafts, { metadata: { namespace, name: 'b' } });
    await kube.patch(customResourceDefinitions, name, { spec: { versions: versions(served, 'v2') } });
    await until('v1 is served no longer', async () => (await ask('GET', pathOf(rafts, namespace))).status === 404);
    if (served.v2) {
      await kube.delete(namespaces, other);
      await gone(namespaces, other);
    }
    await kube.delete(customResourceDefinitions, name);
    await gone(customResourceDefinitions, name);
    if (!served.v2) await kube.delete(namespaces, other);
  });
});
