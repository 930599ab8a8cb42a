import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ApiObject, ApplyRequest, KindDefinition } from '../contracts.ts';
import { ApplyConflictError, PatchError } from '../contracts.ts';
import { patchApi } from './index.ts';
import { equal, isObject } from './values.ts';

const kindOf = (group: string, version: string, kind: string, plural: string): KindDefinition => ({
  type: { group, version, kind, plural, namespaced: true },
  singular: kind.toLowerCase(),
  listKind: `${kind}List`,
  shortNames: [],
  categories: [],
  storage: plural,
  status: true,
  strategy: {},
});
const deployments = kindOf('apps', 'v1', 'Deployment', 'deployments');
const services = kindOf('', 'v1', 'Service', 'services');
const now = new Date('2026-01-02T03:04:05Z');

const json = fc.jsonValue({ maxDepth: 3 });
const object = fc.dictionary(
  fc.oneof(fc.constantFrom('a', 'b', '__proto__', 'constructor', 'a/b', '~'), fc.string({ maxLength: 3 })),
  json,
  { maxKeys: 5 },
) as fc.Arbitrary<ApiObject>;
const parsed = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** RFC 7386's own way from `from` to `to`, where `to` has no nulls. */
function difference(from: any, to: any): any {
  if (!isObject(from) || !isObject(to)) return to;
  const out: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) out[key] = null;
  for (const key of Object.keys(to))
    if (!Object.hasOwn(from, key) || !equal(from[key], to[key]))
      out[key] = Object.hasOwn(from, key) ? difference(from[key], to[key]) : to[key];
  return parsed(out);
}
const withoutNulls = (value: any): any =>
  Array.isArray(value)
    ? value.map(withoutNulls)
    : isObject(value)
      ? Object.fromEntries(
          Object.entries(value)
            .filter(([, item]) => item !== null)
            .map(([key, item]) => [key, withoutNulls(item)]),
        )
      : value;

describe('merge patch', () => {
  it('makes one object of another by their difference, and changes neither', () => {
    fc.assert(
      fc.property(object, object, (a, b) => {
        const [from, to] = [parsed(withoutNulls(a)), parsed(withoutNulls(b))];
        const before = JSON.stringify(from);
        expect(equal(patchApi.mergePatch(from, difference(from, to)), to)).toBe(true);
        expect(JSON.stringify(from)).toBe(before);
      }),
    );
  });
  it('treats __proto__ as a key like any other', () => {
    const result = patchApi.mergePatch(
      { metadata: {} } as ApiObject,
      JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
    );
    expect(({} as any).polluted).toBeUndefined();
    expect(Object.hasOwn(result, '__proto__')).toBe(true);
  });
});

describe('JSON patch', () => {
  const start = { apiVersion: 'v1', kind: 'X', metadata: { name: 'a' }, list: [1, 2, 3], 'a/b': { '~': 1 } } as ApiObject;
  it.each([
    ['adds into a list', [{ op: 'add', path: '/list/1', value: 9 }], { list: [1, 9, 2, 3] }],
    ['appends', [{ op: 'add', path: '/list/-', value: 9 }], { list: [1, 2, 3, 9] }],
    ['unescapes pointers', [{ op: 'replace', path: '/a~1b/~0', value: 2 }], { 'a/b': { '~': 2 } }],
    ['moves', [{ op: 'move', from: '/list', path: '/moved' }], { moved: [1, 2, 3] }],
    ['copies', [{ op: 'copy', from: '/list/0', path: '/list/-' }], { list: [1, 2, 3, 1] }],
    [
      'tests',
      [
        { op: 'test', path: '/metadata/name', value: 'a' },
        { op: 'remove', path: '/list/0' },
      ],
      { list: [2, 3] },
    ],
  ])('%s', (_, patch, expected) => expect(patchApi.jsonPatch(start, patch)).toMatchObject(expected));
  it.each([
    ['a failed test', [{ op: 'test', path: '/metadata/name', value: 'b' }], 422],
    ['a missing parent', [{ op: 'add', path: '/x/y', value: 1 }], 422],
    ['the removal of nothing', [{ op: 'remove', path: '/x' }], 422],
    ['an index past the end', [{ op: 'add', path: '/list/4', value: 1 }], 422],
    ['a way through a prototype', [{ op: 'add', path: '/__proto__/polluted', value: 1 }], 422],
    ['a way through a constructor', [{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }], 422],
    ['an unknown operation', [{ op: 'explode', path: '/x' }], 422],
    ['no array', { op: 'add' }, 400],
    ['an operation without a path', [{ op: 'add', value: 1 }], 400],
    ['doubling without end', Array.from({ length: 60 }, () => ({ op: 'copy', from: '/list', path: '/list/-' })), 422],
  ])('refuses %s', (_, patch, status) => {
    let error: unknown;
    try {
      patchApi.jsonPatch(start, patch);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(PatchError);
    expect((error as PatchError).status).toBe(status);
    expect(({} as any).polluted).toBeUndefined();
  });
  it('never throws anything but its own error, and never changes what it is given', () => {
    const operation = fc.record(
      {
        op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
        path: fc.constantFrom('', '/a', '/list/0', '/list/-', '/__proto__', '/a/b'),
        from: fc.constantFrom('/a', '/list', ''),
        value: json,
      },
      { requiredKeys: ['op', 'path'] },
    );
    fc.assert(
      fc.property(object, fc.array(operation, { maxLength: 4 }), (value, patch) => {
        const before = JSON.stringify(value);
        try {
          patchApi.jsonPatch(value, parsed(patch));
        } catch (error) {
          expect(error).toBeInstanceOf(PatchError);
        }
        expect(JSON.stringify(value)).toBe(before);
      }),
    );
  });
});

const deployment = (containers: object[], more: object = {}): ApiObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: { app: 'web' } }, template: { metadata: { labels: { app: 'web' } }, spec: { containers } }, ...more },
  }) as unknown as ApiObject;
const containersOf = (value: ApiObject): any[] => value['spec'].template.spec.containers;

describe('strategic merge patch', () => {
  const start = deployment([
    { name: 'a', image: 'a:1', env: [{ name: 'X', value: '1' }] },
    { name: 'b', image: 'b:1' },
  ]);
  const patched = (containers: object[], more: object = {}) =>
    patchApi.strategicMergePatch(deployments, start, { spec: { template: { spec: { containers, ...more } } } });
  it('merges items of a list by their key', () =>
    expect(containersOf(patched([{ name: 'a', env: [{ name: 'Y', value: '2' }] }]))).toEqual([
      {
        name: 'a',
        image: 'a:1',
        env: [
          { name: 'Y', value: '2' },
          { name: 'X', value: '1' },
        ],
      },
      { name: 'b', image: 'b:1' },
    ]));
  it('deletes an item', () => expect(containersOf(patched([{ name: 'a', $patch: 'delete' }]))).toEqual([{ name: 'b', image: 'b:1' }]));
  it('replaces a list', () =>
    expect(containersOf(patched([{ name: 'c', image: 'c' }, { $patch: 'replace' }] as object[]))).toEqual([{ name: 'c', image: 'c' }]));
  it('orders a list', () =>
    expect(
      containersOf(
        patched([{ name: 'c', image: 'c' }], { '$setElementOrder/containers': [{ name: 'b' }, { name: 'c' }, { name: 'a' }] }),
      ).map(({ name }) => name),
    ).toEqual(['b', 'c', 'a']));
  it('keeps only the retained keys', () => {
    const rolling = deployment([], { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } });
    expect(
      patchApi.strategicMergePatch(deployments, rolling, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } })['spec']
        .strategy,
    ).toEqual({ type: 'Recreate' });
  });
  it('takes values out of a set', () => {
    const withFinalizers = { ...start, metadata: { name: 'web', finalizers: ['a/b', 'c/d'] } };
    expect(
      patchApi.strategicMergePatch(deployments, withFinalizers, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a/b'] } }).metadata
        .finalizers,
    ).toEqual(['c/d']);
  });
  it('removes a field by null and replaces lists without keys', () => {
    const result = patchApi.strategicMergePatch(deployments, deployment([{ name: 'a', image: 'x', command: ['a', 'b'] }]), {
      spec: { template: { spec: { containers: [{ name: 'a', image: null, command: ['c'] }] } } },
    });
    expect(containersOf(result)).toEqual([{ name: 'a', command: ['c'] }]);
  });
  it('refuses an item without its key', () => expect(() => patched([{ image: 'x' }])).toThrow(/does not contain declared merge key: name/));
});

const apply = (live: ApiObject | undefined, applied: ApiObject, manager: string, more: Partial<ApplyRequest> = {}): ApiObject =>
  patchApi.serverSideApply({ kind: deployments, live, applied, manager, force: false, subresource: '', now, ...more });
const update = (live: ApiObject | undefined, next: ApiObject, manager: string): ApiObject => ({
  ...next,
  metadata: {
    ...next.metadata,
    managedFields: patchApi.updateManagedFields({ kind: deployments, live, next, manager, subresource: '', now }),
  },
});
const conflictsOf = (attempt: () => unknown): ApplyConflictError => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ApplyConflictError) return error;
    throw error;
  }
  throw new Error('no conflict');
};

describe('server-side apply', () => {
  const config = deployment([{ name: 'a', image: 'a:1', ports: [{ containerPort: 80 }] }], { replicas: 2 });
  it('records the applied fields as Kubernetes does', () => {
    expect(apply(undefined, config, 'kip').metadata.managedFields).toEqual([
      {
        manager: 'kip',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        time: '2026-01-02T03:04:05Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:spec': {
            'f:replicas': {},
            'f:selector': {},
            'f:template': {
              'f:metadata': { 'f:labels': { 'f:app': {} } },
              'f:spec': {
                'f:containers': {
                  'k:{"name":"a"}': {
                    '.': {},
                    'f:name': {},
                    'f:image': {},
                    'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
                  },
                },
              },
            },
          },
        },
      },
    ]);
  });
  it('changes nothing when the same is applied again', () => {
    const live = apply(undefined, config, 'kip');
    expect(apply(live, config, 'kip', { now: new Date('2027-01-01') })).toEqual(live);
  });
  it('removes what is no longer applied and keeps what others own', () => {
    const live = apply(undefined, config, 'kip');
    const scaled = apply(
      live,
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', labels: { other: 'x' } }, spec: {} } as ApiObject,
      'other',
    );
    const { replicas: _, ...rest } = config['spec'];
    const next = apply(scaled, { ...config, spec: rest }, 'kip');
    expect(next['spec'].replicas).toBeUndefined();
    expect(next.metadata.labels).toEqual({ other: 'x' });
    expect(containersOf(next)).toEqual(containersOf(config));
  });
  it('keeps a dropped field that another manager shares', () => {
    const live = apply(apply(undefined, config, 'kip'), config, 'second');
    const { replicas: _, ...rest } = config['spec'];
    expect(apply(live, { ...config, spec: rest }, 'kip')['spec'].replicas).toBe(2);
  });
  it('refuses to take a field of another manager, names it, and takes it by force', () => {
    const live = apply(undefined, config, 'kip');
    const scaled = update(live, { ...live, spec: { ...live['spec'], replicas: 5 } }, 'kubectl-scale');
    const error = conflictsOf(() => apply(scaled, config, 'kip'));
    expect(error.message).toBe('Apply failed with 1 conflict: conflict with "kubectl-scale" using apps/v1: .spec.replicas');
    const forced = apply(scaled, config, 'kip', { force: true });
    expect(forced['spec'].replicas).toBe(2);
    expect(forced.metadata.managedFields?.map(({ manager }) => manager)).toEqual(['kip']);
  });
  it('names an item of a list by its key', () => {
    const live = apply(undefined, config, 'kip');
    const other = deployment([{ name: 'a', image: 'a:2' }]);
    delete other['spec'].selector;
    delete other['spec'].template.metadata;
    expect(conflictsOf(() => apply(live, other, 'other')).conflicts).toEqual([
      { manager: '"kip"', field: '.spec.template.spec.containers[name="a"].image' },
    ]);
  });
  it('removes only its own item of a list', () => {
    const both = apply(
      apply(undefined, config, 'kip'),
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: { template: { spec: { containers: [{ name: 'side', image: 's' }] } } },
      } as unknown as ApiObject,
      'injector',
    );
    expect(containersOf(both).map(({ name }) => name)).toEqual(['a', 'side']);
    const gone = apply(both, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } } as ApiObject, 'injector');
    expect(containersOf(gone).map(({ name }) => name)).toEqual(['a']);
  });
  it('replaces an atomic map whole', () => {
    const service = (selector: object): ApiObject =>
      ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { selector, ports: [{ port: 80 }] } }) as unknown as ApiObject;
    const live = apply(undefined, service({ a: '1', b: '2' }), 'kip', { kind: services });
    expect(apply(live, service({ a: '1' }), 'kip', { kind: services })['spec'].selector).toEqual({ a: '1' });
  });
  it('gives kubectl its own earlier client-side apply', () => {
    const annotated = {
      ...config,
      metadata: { ...config.metadata, annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(config) } },
    };
    const live = update(undefined, annotated, 'kubectl-client-side-apply');
    const next = { ...config, spec: { ...config['spec'], replicas: 3 } };
    expect(apply(live, next, 'kubectl')['spec'].replicas).toBe(3);
    expect(() => apply(live, next, 'somebody')).toThrow(ApplyConflictError);
  });
  it('keeps status and spec apart', () => {
    const applied = { ...config, status: { replicas: 9 } } as ApiObject;
    expect(apply(undefined, applied, 'kip')['status']).toBeUndefined();
    const live = apply(undefined, config, 'kip');
    const withStatus = apply(live, { ...applied, spec: undefined } as unknown as ApiObject, 'kip', { subresource: 'status' });
    expect(withStatus['status']).toEqual({ replicas: 9 });
    expect(withStatus['spec']).toEqual(live['spec']);
    expect(withStatus.metadata.managedFields?.map(({ subresource }) => subresource)).toEqual([undefined, 'status']);
  });
  it('refuses managed fields in a configuration', () => {
    expect(() => apply(undefined, { ...config, metadata: { name: 'web', managedFields: [{ manager: 'x' }] } }, 'kip')).toThrow(
      'metadata.managedFields must be nil',
    );
  });
  it('is left with what was applied last, whatever was applied before', () => {
    const spec = fc.record({ replicas: fc.nat(5), paused: fc.boolean(), minReadySeconds: fc.nat(3) }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 5 }), (specs) => {
        let live: ApiObject | undefined;
        for (const next of specs)
          live = apply(
            live,
            { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: next } as unknown as ApiObject,
            'kip',
          );
        expect(live!['spec'] ?? {}).toEqual(specs.at(-1));
      }),
    );
  });
});

describe('managed fields of updates', () => {
  it('move to who changed the value, and go with the value', () => {
    const live = update(undefined, deployment([{ name: 'a', image: 'a:1' }], { replicas: 1 }), 'one');
    const next = update(live, deployment([{ name: 'a', image: 'a:2' }]), 'two');
    const fields = Object.fromEntries(next.metadata.managedFields!.map(({ manager, fieldsV1 }) => [manager, JSON.stringify(fieldsV1)]));
    expect(fields['two']).toBe('{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\\"name\\":\\"a\\"}":{"f:image":{}}}}}}}');
    expect(fields['one']).not.toContain('f:replicas');
    expect(fields['one']).not.toContain('f:image');
  });
  it('folds the oldest of too many managers into one', () => {
    let live = update(undefined, deployment([]), 'first');
    for (let index = 0; index < 12; index++)
      live = update(
        live,
        { ...live, metadata: { ...live.metadata, annotations: { ...live.metadata.annotations, [`a${index}`]: 'x' } } },
        `manager-${index}`,
      );
    expect(live.metadata.managedFields!.length).toBe(10);
    expect(live.metadata.managedFields!.some(({ manager }) => manager === 'ancient-changes')).toBe(true);
  });
});

describe('the name of an object', () => {
  it('stays when a manager applies no metadata any more', () => {
    const labelled = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', labels: { a: '1' } },
      spec: { replicas: 1 },
    } as unknown as ApiObject;
    const next = apply(apply(undefined, labelled, 'kip'), { ...labelled, metadata: { name: 'web' } }, 'kip');
    expect(next.metadata.name).toBe('web');
    expect(next.metadata.labels).toBeUndefined();
  });
});
