import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { checked } from './checks.ts';
import { differences, inApplyOrder, normalForm, type Managed } from './normal-form.ts';
import { parseManifests } from './read.ts';
import { withoutDropped } from './take-over.ts';

const apiVersion = 'skipper.dev/v1alpha1';
const app: Managed = {
  apiVersion,
  kind: 'App',
  metadata: {
    name: 'api',
    namespace: 'shop-test',
    uid: 'u',
    resourceVersion: '7',
    generation: 2,
    creationTimestamp: '2026-01-01T00:00:00Z',
    managedFields: [],
    finalizers: ['skipper.dev/cleanup'],
    labels: { team: 'a' },
    annotations: { 'skipper.dev/restarted-at': 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}', note: 'ours' },
  },
  spec: { replicas: 1, bindings: [{ prefix: 'DB', service: 'db' }], env: [{ value: '1', name: 'A' }], image: 'api:1' },
  status: { observedGeneration: 2 },
};

describe('the normal form', () => {
  it('has what a person would write, in one order', () => {
    expect(stringify(normalForm(app, { namespace: false }))).toBe(`apiVersion: skipper.dev/v1alpha1
kind: App
metadata:
  name: api
  labels:
    team: a
  annotations:
    note: ours
spec:
  image: api:1
  bindings:
    - service: db
      prefix: DB
  env:
    - name: A
      value: "1"
`);
    expect(normalForm(app, { namespace: true }).metadata?.namespace).toBe('shop-test');
  });

  it('keeps what users ask of an engine, and leaves out what was asked once', async () => {
    const option = { 'skipper.dev/opensearch-security': 'disabled' };
    const metadata = { name: 'search', annotations: { ...option, 'skipper.dev/delete-data': 'x', 'skipper.dev/applied': 'x' } };
    const exported = normalForm({ apiVersion, kind: 'StatefulService', metadata, spec: { type: 'opensearch' } }, { namespace: false });
    expect(exported.metadata?.annotations).toEqual(option);
    const [applied] = checked(await parseManifests(stringify(exported), 'x.yaml'), 'default');
    expect(normalForm(applied!, { namespace: false })).toEqual(exported);
    const without = { ...exported, metadata: { name: 'search' } } as Managed;
    expect(differences(normalForm(without, { namespace: false }), exported)).toEqual(['metadata.annotations']);
  });

  it('is the same of itself', () => {
    const once = normalForm(app, { namespace: false });
    expect(normalForm(once, { namespace: false })).toEqual(once);
  });

  it('stands with services before apps', () => {
    const named = (kind: string, name: string) => ({ kind, metadata: { name } });
    expect(
      inApplyOrder([named('App', 'a'), named('StatefulService', 'z'), named('StatefulService', 'b')]).map(({ metadata }) => metadata.name),
    ).toEqual(['b', 'z', 'a']);
  });

  it('tells what differs', () => {
    const after = { ...app, spec: { ...app.spec, image: 'api:2', port: 80 } } as Managed;
    expect(differences(normalForm(app, { namespace: false }), normalForm(after, { namespace: false }))).toEqual([
      'spec.image',
      'spec.port',
    ]);
    expect(differences(normalForm(app, { namespace: false }), normalForm({ ...app, status: {} } as Managed, { namespace: false }))).toEqual(
      [],
    );
  });
});

describe('manifests', () => {
  const parsed = (text: string) => parseManifests(text, 'x.yaml');
  const problemsOf = async (text: string): Promise<string> => {
    try {
      checked(await parsed(text), 'default');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('are read from documents, lists and JSON, empty ones left out', async () => {
    const one = `{"apiVersion":"${apiVersion}","kind":"App","metadata":{"name":"a"},"spec":{"image":"i"}}`;
    expect((await parsed(`---\n# nothing\n---\n${one}\n---\napiVersion: v1\nkind: List\nitems:\n- ${one}\n- ${one}\n`)).length).toBe(3);
    expect(await parsed('')).toEqual([]);
  });

  it.each([
    ['a: [', /not YAML/],
    ['just words', /no manifest/],
    ['a: *nowhere', /not YAML/],
  ])('that cannot be read are refused: %s', async (text, message) => {
    await expect(parsed(text)).rejects.toThrow(message);
  });

  it('get the namespace of the scope, and keep their own', async () => {
    const text = `apiVersion: ${apiVersion}\nkind: App\nmetadata: {name: a}\nspec: {image: i}\n---\napiVersion: ${apiVersion}\nkind: App\nmetadata: {name: a, namespace: other}\nspec: {image: i}\n`;
    expect(checked(await parsed(text), 'shop-test').map(({ metadata }) => metadata?.namespace)).toEqual(['shop-test', 'other']);
  });

  it('are refused with everything that is wrong with them', async () => {
    const message = await problemsOf(`apiVersion: v1
kind: Secret
metadata: {name: s}
---
apiVersion: ${apiVersion}
kind: App
metadata: {name: My_App}
spec: {imgae: x, env: [{name: A, valu: "1"}, {name: A}]}
---
apiVersion: ${apiVersion}
kind: StatefulService
metadata: {name: db}
spec: {type: oracle}
---
apiVersion: ${apiVersion}
kind: StatefulService
metadata: {name: db}
spec: {type: postgres, storage: 5GB}
---
apiVersion: ${apiVersion}
kind: StatefulService
metadata: {name: cache}
spec: {type: redis}
---
apiVersion: ${apiVersion}
kind: StatefulService
metadata: {name: cache}
spec: {type: redis}
`);
    for (const part of [
      'document 1: Secret of v1',
      'My_App',
      'spec.imgae',
      'is "image" meant?',
      'spec.env[0].valu',
      'spec.env has "A" twice',
      'oracle',
      '5Gi',
      'stands in x.yaml, document 5 too',
    ])
      expect(message).toContain(part);
  });
});

describe('what an apply drops', () => {
  const entry = (manager: string, operation: string, fields: object) => ({ manager, operation, fieldsV1: { 'f:spec': fields } });

  it('is what kip wrote, nobody else owns and the manifest leaves out', () => {
    const current = {
      image: 'a',
      replicas: 3,
      port: 80,
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
        { name: 'C', value: '3' },
      ],
    };
    const fields = [
      entry('skipper-cli', 'Update', {
        'f:image': {},
        'f:port': {},
        'f:replicas': {},
        'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} }, 'k:{"name":"B"}': { '.': {} } },
      }),
      entry('autoscaler', 'Update', { 'f:replicas': {}, 'f:env': { 'k:{"name":"C"}': { '.': {} } } }),
    ];
    expect(withoutDropped(current, { image: 'a', env: [{ name: 'A', value: '1' }] }, fields)).toEqual({
      image: 'a',
      replicas: 3,
      env: [
        { name: 'A', value: '1' },
        { name: 'C', value: '3' },
      ],
    });
  });
});
