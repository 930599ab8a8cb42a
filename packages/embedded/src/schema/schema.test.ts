import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuantity } from '@skipper/api';
import { builtinKinds } from '../apiserver/objects/builtin-kinds.ts';
import type { ApiObject, KindDefinition, PrinterColumn, ResourceRegistry } from '../contracts.ts';
import { CelSyntaxError } from './cel/parse.ts';
import { compile } from './cel/evaluate.ts';
import { definitions } from './definitions.ts';
import { humanDuration } from './durations.ts';
import { schemaApi } from './index.ts';
import { compileJsonPath } from './json-path.ts';
import { canonicalQuantity } from './quantities.ts';

const builtin = (kind: string): KindDefinition => builtinKinds.find(({ type }) => type.kind === kind)!;
const custom = (schema: object, columns: PrinterColumn[] = []): KindDefinition => ({
  type: { group: 'example.dev', version: 'v1', kind: 'Thing', plural: 'things', namespaced: true },
  singular: 'thing',
  listKind: 'ThingList',
  shortNames: [],
  categories: [],
  storage: 'example.dev/things',
  status: true,
  strategy: {},
  custom: { since: 0, schema: { type: 'object', properties: { spec: schema } } as never, columns },
});
const thing = (spec: unknown): ApiObject => ({ apiVersion: 'example.dev/v1', kind: 'Thing', metadata: { name: 'a' }, spec }) as ApiObject;
const errorsOf = (kind: KindDefinition, object: ApiObject, old?: ApiObject) =>
  schemaApi.validate(kind, object, old).map(({ field, message }) => `${field}: ${message}`);
const pod = (spec: object): ApiObject => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec }) as ApiObject;

describe('defaults', () => {
  it('are those of a stored pod', () => {
    const object = pod({
      containers: [
        {
          name: 'a',
          image: 'a',
          ports: [{ containerPort: 80 }],
          livenessProbe: { httpGet: { port: 80 } },
          resources: { limits: { cpu: '0.5', memory: '1024Mi' } },
        },
      ],
      volumes: [{ name: 'v' }],
    });
    schemaApi.applyDefaults(builtin('Pod'), object);
    expect(object['spec']).toMatchObject({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      terminationGracePeriodSeconds: 30,
      enableServiceLinks: true,
      securityContext: {},
      schedulerName: 'default-scheduler',
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [
        {
          imagePullPolicy: 'Always',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          livenessProbe: {
            httpGet: { path: '/', port: 80, scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          resources: { limits: { cpu: '500m', memory: '1Gi' }, requests: { cpu: '500m', memory: '1Gi' } },
        },
      ],
    });
  });
  it.each([
    ['a:1', 'IfNotPresent'],
    ['a', 'Always'],
    ['a:latest', 'Always'],
    ['host:5000/a', 'Always'],
    ['host:5000/a:1', 'IfNotPresent'],
    ['a@sha256:00', 'IfNotPresent'],
  ])('pull %s %s', (image, policy) => {
    const object = pod({ containers: [{ name: 'a', image }] });
    schemaApi.applyDefaults(builtin('Pod'), object);
    expect(object['spec'].containers[0].imagePullPolicy).toBe(policy);
  });
  it('change nothing the second time', () => {
    for (const kind of ['Deployment', 'StatefulSet', 'Service', 'NetworkPolicy', 'PersistentVolumeClaim']) {
      const object = {
        apiVersion: 'v1',
        kind,
        metadata: { name: 'a' },
        spec: {
          template: { spec: { containers: [{ name: 'a', image: 'a' }] } },
          ports: [{ port: 1 }],
          resources: { requests: { storage: '0.5Gi' } },
        },
      } as unknown as ApiObject;
      schemaApi.applyDefaults(builtin(kind), object);
      const once = structuredClone(object);
      schemaApi.applyDefaults(builtin(kind), object);
      expect(object).toEqual(once);
    }
  });
  it('of a custom resource fill what is missing, inside of defaults too', () => {
    const kind = custom({
      type: 'object',
      default: {},
      properties: {
        size: { type: 'integer', default: 3 },
        list: { type: 'array', items: { type: 'object', properties: { on: { type: 'boolean', default: true } } } },
      },
    });
    const object = { apiVersion: 'example.dev/v1', kind: 'Thing', metadata: { name: 'a' } } as ApiObject;
    schemaApi.applyDefaults(kind, object);
    expect(object['spec']).toEqual({ size: 3 });
    const listed = thing({ size: null, list: [{}] });
    schemaApi.applyDefaults(kind, listed);
    expect(listed['spec']).toEqual({ size: 3, list: [{ on: true }] });
  });
});

describe('canonicalQuantity', () => {
  it.each([
    ['0.5', '500m'],
    ['1000m', '1'],
    ['1000', '1k'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Gi', '512Mi'],
    ['1e3', '1e3'],
    ['0', '0'],
    ['1Ki', '1Ki'],
    ['100u', '100u'],
    ['0.0001k', '100m'],
  ])('stores %s as %s', (given, stored) => expect(canonicalQuantity(given)).toBe(stored));
  it('never changes the amount', () => {
    fc.assert(
      fc.property(
        fc.nat(10_000_000),
        fc.constantFrom('', 'm', 'k', 'M', 'Ki', 'Mi', 'Gi', 'u', 'e3'),
        (number, unit) => parseQuantity(canonicalQuantity(`${number}${unit}`) as string) === parseQuantity(`${number}${unit}`),
      ),
    );
  });
});

describe('validation of built-in kinds', () => {
  it.each<[string, object, string]>([
    ['no containers', { containers: [] }, 'spec.containers: Required value'],
    ['no image', { containers: [{ name: 'a' }] }, 'spec.containers[0].image: Required value'],
    [
      'two containers of one name',
      {
        containers: [
          { name: 'a', image: 'a' },
          { name: 'a', image: 'a' },
        ],
      },
      'spec.containers[1].name: Duplicate value: "a"',
    ],
    [
      'a mount of no volume',
      { containers: [{ name: 'a', image: 'a', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
      'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ],
    [
      'an unknown policy',
      { restartPolicy: 'Sometimes', containers: [{ name: 'a', image: 'a' }] },
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
    ],
    [
      'a port out of range',
      { containers: [{ name: 'a', image: 'a', ports: [{ containerPort: 70_000 }] }] },
      'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
    [
      'requests above limits',
      { containers: [{ name: 'a', image: 'a', resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }] },
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
  ])('refuses %s', (_, spec, message) => expect(errorsOf(builtin('Pod'), pod(spec)).join('\n')).toContain(message));
  it('refuses a selector that its own pods do not match', () => {
    const spec = {
      serviceName: 'a',
      selector: { matchLabels: { app: 'a' } },
      template: { metadata: { labels: { app: 'b' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    };
    expect(
      errorsOf(builtin('StatefulSet'), {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'a' },
        spec,
      } as unknown as ApiObject),
    ).toEqual(['spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`']);
  });
  it('survives any value', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          'Pod',
          'Service',
          'StatefulSet',
          'Deployment',
          'PersistentVolumeClaim',
          'NetworkPolicy',
          'Secret',
          'CustomResourceDefinition',
        ),
        fc.jsonValue(),
        fc.jsonValue(),
        (name, spec, other) => {
          const object = JSON.parse(
            JSON.stringify({ apiVersion: 'v1', kind: name, metadata: { name: 'a' }, spec, data: other, template: other }),
          ) as ApiObject;
          schemaApi.prune(builtin(name), object);
          const errors = schemaApi.validate(builtin(name), object);
          if (errors.length === 0) schemaApi.applyDefaults(builtin(name), object);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('validation of custom resources', () => {
  it.each<[string, object, unknown, string]>([
    [
      'a type',
      { type: 'object', properties: { n: { type: 'integer' } } },
      { n: 'x' },
      'spec.n: Invalid value: "x": spec.n in body must be of type integer: "string"',
    ],
    ['a required field', { type: 'object', required: ['n'] }, {}, 'spec.n: Required value'],
    ['an enum', { type: 'string', enum: ['a', 'b'] }, 'c', 'spec: Unsupported value: "c": supported values: "a", "b"'],
    ['a pattern', { type: 'string', pattern: '^a+$' }, 'b', 'spec: Invalid value: "b": spec in body should match \'^a+$\''],
    ['a minimum', { type: 'integer', minimum: 2 }, 1, 'spec: Invalid value: 1: spec in body should be greater than or equal to 2'],
    ['a length', { type: 'string', maxLength: 2 }, 'abc', 'spec: Too long: may not be more than 2 bytes'],
    ['a null', { type: 'string' }, null, 'spec: Invalid value: "null": spec in body must be of type string: "null"'],
    [
      'two of one key',
      {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object', properties: { k: { type: 'string' } } },
      },
      [{ k: 'a' }, { k: 'a' }],
      'spec[1]: Duplicate value: {"k":"a"}',
    ],
    [
      'no alternative',
      { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^a' }] },
      'b',
      'spec: Invalid value: "b": spec in body must validate at least one schema (anyOf)',
    ],
  ])('refuses %s', (_, schema, value, message) => expect(errorsOf(custom(schema), thing(value))).toContain(message));
  it('asks rules of the value before only where there was one', () => {
    const kind = custom({
      type: 'object',
      properties: { type: { type: 'string' } },
      'x-kubernetes-validations': [{ rule: 'self.type == oldSelf.type', message: 'the type cannot change' }],
    });
    expect(errorsOf(kind, thing({ type: 'b' }))).toEqual([]);
    expect(errorsOf(kind, thing({ type: 'b' }), thing({ type: 'a' }))).toEqual(['spec: Invalid value: the type cannot change']);
  });
  it('drops unknown fields and says which', () => {
    const object = thing({ known: 1, unknown: { deep: 1 }, free: { any: 1 } });
    expect(
      schemaApi.prune(
        custom({
          type: 'object',
          properties: { known: { type: 'integer' }, free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        }),
        object,
      ),
    ).toEqual(['spec.unknown']);
    expect(object['spec']).toEqual({ known: 1, free: { any: 1 } });
  });
  it.each([
    ['self.x +', 'an unfinished rule'],
    ['self.all(x, unknown(x))', 'an unknown function'],
    ['other == 1', 'an unknown name'],
  ])('refuses a definition with %s', (rule) => {
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'things.example.dev' },
      spec: {
        group: 'example.dev',
        scope: 'Namespaced',
        names: { plural: 'things', kind: 'Thing' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-validations': [{ rule }] } },
          },
        ],
      },
    } as unknown as ApiObject;
    expect(errorsOf(builtin('CustomResourceDefinition'), definition).join()).toContain('compilation failed');
  });
});

describe('validation rules', () => {
  const self = { n: 3, s: 'Abc', list: [1, 2, 3], map: { a: 'x' }, q: '1Gi', nothing: null };
  it.each<[string, unknown]>([
    ['self.n == 3 && self.n < 4', true],
    ['1 + 2 * 3', 7],
    ['-self.n', -3],
    ['7 / 2', 3],
    ['7 % 2', 1],
    ['!has(self.missing)', true],
    ['has(self.n) ? "yes" : "no"', 'yes'],
    ['self.s.startsWith("A") && self.s.endsWith("c")', true],
    ['self.s.lowerAscii()', 'abc'],
    ['self.s.matches("^[A-C]")', true],
    ['size(self.list)', 3],
    ['self.list.size() == 3', true],
    ['self.list.all(x, x > 0)', true],
    ['self.list.exists(x, x == 2)', true],
    ['self.list.filter(x, x > 1)', [2, 3]],
    ['self.list.map(x, x * 2)', [2, 4, 6]],
    ['2 in self.list', true],
    ['"a" in self.map', true],
    ['self.map["a"]', 'x'],
    ['self.list[0]', 1],
    ['quantity(self.q).compareTo(quantity("1024Mi")) == 0', true],
    ['isQuantity("x")', false],
    ['self.missing == 1 || true', true],
    ["r'a\\d'", 'a\\d'],
    ['"a\\u0062"', 'ab'],
  ])('evaluate %s', (rule, value) => expect(compile(rule).run({ self, oldSelf: null })).toEqual(value));
  it('never throw anything but their own errors', () => {
    const piece = fc.constantFrom(
      'self',
      '.n',
      '.s',
      '(',
      ')',
      '[0]',
      ' == ',
      ' && ',
      '!',
      '1',
      '"a"',
      'size(',
      'has(',
      '.all(x, ',
      ' ? ',
      ' : ',
      '__proto__',
      '.constructor',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        try {
          compile(pieces.join('')).run({ self });
        } catch (error) {
          expect(['CelSyntaxError', 'CelRuntimeError']).toContain((error as Error).name);
        }
      }),
      { numRuns: 2000 },
    );
    expect(() => compile(`${'('.repeat(1000)}1${')'.repeat(1000)}`)).toThrow(CelSyntaxError);
    expect(() => compile('self.constructor.constructor("return 1")()')).toThrow(CelSyntaxError);
  });
});

describe('tables', () => {
  const now = new Date('2026-01-01T01:00:00Z');
  it('show a pod as kubectl does', () => {
    const object = {
      ...pod({ containers: [{ name: 'a' }, { name: 'b' }], nodeName: 'n' }),
      metadata: { name: 'a', creationTimestamp: '2026-01-01T00:00:00Z' },
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        containerStatuses: [
          {
            name: 'a',
            ready: true,
            restartCount: 2,
            state: { running: {} },
            lastState: { terminated: { finishedAt: '2026-01-01T00:55:00Z' } },
          },
          { name: 'b', ready: false, restartCount: 0, state: { waiting: { reason: 'CrashLoopBackOff' } } },
        ],
      },
    } as unknown as ApiObject;
    const table = schemaApi.tableOf(builtin('Pod'), [object], { includeObject: 'None', now });
    expect(table.rows[0]!.cells).toEqual(['a', '1/2', 'CrashLoopBackOff', '2 (5m ago)', '60m', '10.0.0.1', 'n', '<none>', '<none>']);
    expect(table.columnDefinitions.filter(({ priority }) => priority === 0).map(({ name }) => name)).toEqual([
      'Name',
      'Ready',
      'Status',
      'Restarts',
      'Age',
    ]);
  });
  it('show the columns of a custom resource', () => {
    const columns = [
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
      { name: 'Since', type: 'date', jsonPath: '.metadata.creationTimestamp', priority: 1 },
      { name: 'None', type: 'string', jsonPath: '.spec.none' },
    ];
    const object = {
      ...thing({ size: 3 }),
      metadata: { name: 'a', creationTimestamp: '2026-01-01T00:00:00Z' },
      status: {
        conditions: [
          { type: 'Other', status: 'False' },
          { type: 'Ready', status: 'True' },
        ],
      },
    } as unknown as ApiObject;
    expect(schemaApi.tableOf(custom({ type: 'object' }, columns), [object], { includeObject: 'None', now }).rows[0]!.cells).toEqual([
      'a',
      'True',
      3,
      '60m',
      null,
    ]);
  });
  it('can be made of every built-in kind with nothing in it', () => {
    for (const kind of builtinKinds) {
      const object = { apiVersion: 'v1', kind: kind.type.kind, metadata: { name: 'a' }, spec: {} } as ApiObject;
      const table = schemaApi.tableOf(kind, [object], { includeObject: 'Metadata', now });
      expect(table.rows[0]!.cells).toHaveLength(table.columnDefinitions.length);
    }
  });
  it.each([
    [5_000, '5s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [150_000, '2m30s'],
    [3_600_000, '60m'],
    [10_800_000, '3h'],
    [11_700_000, '3h15m'],
    [100 * 3_600_000, '4d4h'],
    [400 * 86_400_000, '400d'],
    [800 * 86_400_000, '2y70d'],
  ])('print %i ms as %s', (ms, text) => expect(humanDuration(ms)).toBe(text));
  it.each([
    ['.spec.a', 1],
    ["{.spec['b.c']}", 2],
    ['.spec.list[1]', 5],
    ['.spec.list[*]', 4],
    ['.spec.b\\.c', 2],
  ])('follow %s', (path, value) => expect(compileJsonPath(path)!({ spec: { a: 1, 'b.c': 2, list: [4, 5] } })[0]).toBe(value));
  it.each(['.spec[', '.spec[?(@.a>1)]', '..a', '.a[1:2]'])('refuse the path %s', (path) => expect(compileJsonPath(path)).toBeUndefined());
});

describe('OpenAPI', () => {
  const kinds = [...builtinKinds, custom({ type: 'object', properties: { size: { type: 'integer', description: 'How big.' } } })];
  const registry: ResourceRegistry = {
    all: () => kinds,
    byPlural: () => undefined,
    byKind: () => undefined,
    byStorage: () => undefined,
    generation: 1,
  };
  it('v3 has every type that it refers to', () => {
    for (const path of Object.keys((schemaApi.openApiV3Index(registry) as { paths: object }).paths)) {
      const document = schemaApi.openApiV3(registry, path) as { components: { schemas: Record<string, unknown> } };
      for (const [, name] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
        expect(document.components.schemas).toHaveProperty([name!]);
    }
    expect(schemaApi.openApiV3(registry, 'apis/none/v1')).toBeUndefined();
  });
  it('v2 has every type that it refers to, and is smaller in protobuf', () => {
    const document = schemaApi.openApiV2(registry) as { definitions: Record<string, unknown> };
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)) expect(document.definitions).toHaveProperty([name!]);
    expect(document.definitions).toHaveProperty(['dev.example.v1.Thing']);
    const encoded = schemaApi.openApiV2Protobuf(registry);
    expect(encoded.length).toBeLessThan(text.length);
    expect(encoded.includes('How big.')).toBe(true);
  });
  it('hashes change with a custom schema', () => {
    const changed: ResourceRegistry = { ...registry, all: () => [custom({ type: 'object' })] };
    expect(JSON.stringify(schemaApi.openApiV3Index(changed))).not.toContain(
      JSON.stringify((schemaApi.openApiV3Index(registry) as any).paths['apis/example.dev/v1']),
    );
  });
  it('knows every built-in kind that is served', () => {
    const unknown = builtinKinds.filter(
      ({ type }) =>
        !Object.values(definitions).some((schema) =>
          schema['x-kubernetes-group-version-kind']?.some(
            ({ group, version, kind }) => group === type.group && version === type.version && kind === type.kind,
          ),
        ),
    );
    expect(unknown.map(({ type }) => type.kind)).toEqual([]);
  });
});
