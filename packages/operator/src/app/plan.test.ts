import { describe, expect, it } from 'vitest';
import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { Namespace, Pod, Secret } from 'kubernetes-types/core/v1.d.ts';
import type { App, AppBindingStatus, AppSpec, KubeObject, StatefulService } from '@skipper/api';
import { isStalling } from '../conditions.ts';
import { usernameOf } from './bindings/account.ts';
import { judgeBindings } from './bindings/judge.ts';
import type { Outcome } from './bindings/outcomes.ts';
import { planBindings, type PlanSource } from './bindings/plan.ts';
import { bindingSecret, type BindingRecord } from './bindings/secret.ts';
import { collisionsOf } from './bindings/variables.ts';
import { deployment } from './deployment.ts';
import { refusal } from './refusal.ts';
import { workloadState } from './workload-state.ts';

const namespace = 'shop-test';
const app = (name: string, spec: Partial<AppSpec> = {}, createdAt = '2026-01-01T00:00:00Z'): App => ({
  metadata: { name, namespace, uid: `uid-${name}`, generation: 1, creationTimestamp: createdAt },
  spec: { image: 'api:1', port: 8080, ...spec },
});
const service = (name: string, type: StatefulService['spec']['type']): StatefulService => ({
  metadata: { name, namespace, uid: `uid-${name}` },
  spec: { type },
});
const secretOf = (owner: string, to: string, record: BindingRecord): Secret =>
  bindingSecret({ namespace, app: owner, service: to }, { DB_PASSWORD: 'x' }, record);

const store = <T extends KubeObject>(objects: T[]) => ({
  get: (name: string) => objects.find(({ metadata }) => metadata?.name === name),
  list: () => objects,
});
const world = ({
  apps = [],
  services = [service('db', 'postgres'), service('cache', 'redis')],
  secrets = [],
  labelled = true,
}: { apps?: App[]; services?: StatefulService[]; secrets?: Secret[]; labelled?: boolean } = {}): PlanSource => ({
  apps: store(apps),
  statefulServices: store(services),
  secrets: store(secrets),
  environments: store<Namespace>(labelled ? [{ metadata: { name: namespace, labels: { 'skipper.dev/environment': 'test' } } }] : []),
});
const plan = (one: App, from: PlanSource) => planBindings(one, from)[0]!;

describe('a binding', () => {
  const domain = app('domain-service', { bindings: [{ service: 'db' }] });
  it('has a database named after app and environment', () =>
    expect(plan(domain, world())).toMatchObject({ database: 'domain_service_test', username: 'app_domain_service', refusal: undefined }));
  it('keeps the one it has when the namespace gets its label later', () => {
    const secrets = [secretOf('domain-service', 'db', { database: 'domain_service' })];
    expect(plan(domain, world({ secrets })).database).toBe('domain_service');
  });
  it('keeps it too when its Secret is deleted, to get another password', () => {
    const bindings = [{ service: 'db', database: 'domain_service' } as AppBindingStatus];
    const known = { ...domain, status: { observedGeneration: 1, bindings } };
    expect(plan(known, world()).database).toBe('domain_service');
    const changed = { ...known, metadata: { ...domain.metadata, generation: 2 } };
    expect(plan(changed, world()).database).toBe('domain_service_test');
  });
  it('goes back to that name when it names none any more', () => {
    const secrets = [secretOf('domain-service', 'db', { database: 'other', asked: 'other' })];
    expect(plan(domain, world({ secrets })).database).toBe('domain_service_test');
  });
  it.each([
    ['a service that is not there', world({ services: [] }), 'ServiceMissing'],
    [
      'a service that goes',
      world({ services: [{ ...service('db', 'postgres'), metadata: { name: 'db', deletionTimestamp: 'x' } }] }),
      'ServiceMissing',
    ],
    ["somebody else's Secret", world({ secrets: [{ metadata: { name: 'domain-service-db-binding' } }] }), 'NameTaken'],
    [
      'the Secret of another binding that comes to the same name',
      world({
        secrets: [
          {
            ...secretOf('domain', 'service-db', {}),
            metadata: { ...secretOf('domain', 'service-db', {}).metadata, name: 'domain-service-db-binding' },
          },
        ],
      }),
      'NameTaken',
    ],
  ])('says so of %s', (_, from, reason) => expect(plan(domain, from).refusal?.reason).toBe(reason));
  it('refuses what cannot be a database', () =>
    expect(plan(app('api', { bindings: [{ service: 'db', database: 'postgres' }] }), world()).refusal?.reason).toBe('DatabaseRefused'));
});

describe('a database', () => {
  const older = app('older', { bindings: [{ service: 'db', database: 'shared' }] }, '2026-01-01T00:00:00Z');
  const younger = app('younger', { bindings: [{ service: 'db', database: 'shared' }] }, '2026-01-02T00:00:00Z');
  const apps = [older, younger];
  it('goes to the older of two apps that want it', () => {
    expect(plan(older, world({ apps })).refusal).toBeUndefined();
    expect(plan(younger, world({ apps })).refusal).toMatchObject({
      reason: 'DatabaseTaken',
      message: expect.stringContaining('"older"') as string,
    });
  });
  it('stays with the app that has it', () => {
    const secrets = [secretOf('younger', 'db', { database: 'shared' })];
    expect(plan(older, world({ apps, secrets })).refusal?.message).toContain('"younger"');
    expect(plan(younger, world({ apps, secrets })).refusal).toBeUndefined();
  });
  it("is one app's even when both have been noted", () => {
    const secrets = [secretOf('younger', 'db', { database: 'shared' }), secretOf('older', 'db', { database: 'shared' })];
    expect(apps.map((one) => plan(one, world({ apps, secrets })).refusal?.reason)).toEqual([undefined, 'DatabaseTaken']);
  });
  it('is not free before the app that had it has given it up', () => {
    const secrets = [secretOf('gone', 'db', { database: 'shared' })];
    const { refusal } = plan(older, world({ apps, secrets }));
    expect(refusal?.message).toContain('"gone"');
    // Which waiting ends, so nobody is called for.
    expect(isStalling(refusal!.reason)).toBe(false);
  });
  it('of that name in another service is another one', () => {
    const secrets = [secretOf('gone', 'cache', { database: 'shared' })];
    expect(plan(older, world({ apps, secrets })).refusal).toBeUndefined();
  });
  it('that is named is compared with those that are not', () => {
    const first = app('api', { bindings: [{ service: 'db' }] });
    const second = app('web', { bindings: [{ service: 'db', database: 'api_test' }] }, '2026-01-02T00:00:00Z');
    expect(plan(second, world({ apps: [first, second] })).refusal?.reason).toBe('DatabaseTaken');
  });
});

describe('variables', () => {
  const reasons = (spec: Partial<AppSpec>, from = world()) => planBindings(app('api', spec), from).map((one) => one.refusal?.reason);
  it.each([
    ['of two types', { bindings: [{ service: 'db' }, { service: 'cache' }] }, [undefined, undefined]],
    [
      'of two bindings with one prefix',
      { bindings: [{ service: 'db' }, { service: 'cache', prefix: 'DB' }] },
      ['VariablesCollide', 'VariablesCollide'],
    ],
    ['of a binding and env', { bindings: [{ service: 'db' }], env: [{ name: 'DB_URL', value: 'x' }] }, ['VariablesCollide']],
    ['beside others of the same prefix', { bindings: [{ service: 'db' }], env: [{ name: 'DB_POOL', value: '5' }] }, [undefined]],
    ['with prefixes that begin alike', { bindings: [{ service: 'db' }, { service: 'cache', prefix: 'DB_2' }] }, [undefined, undefined]],
  ])('%s', (_, spec, expected) => expect(reasons(spec as Partial<AppSpec>)).toEqual(expected));
  it('that a binding left are counted while its service is away', () => {
    const secrets = [secretOf('api', 'db', {})];
    expect(
      reasons({ bindings: [{ service: 'db' }], env: [{ name: 'DB_PASSWORD', value: 'x' }] }, world({ services: [], secrets })),
    ).toEqual(['VariablesCollide']);
  });
  it('are named with both that set them', () =>
    expect(
      collisionsOf([
        { source: 'one', names: ['A', 'B'] },
        { source: 'two', names: ['B', 'C'] },
        { source: 'three', names: ['C'] },
      ]),
    ).toEqual([
      { names: ['B'], between: ['one', 'two'] },
      { names: ['C'], between: ['two', 'three'] },
    ]));
});

describe('usernameOf', () => {
  it('fits the shortest limit, and keeps long names apart', () => {
    const [one, other] = [usernameOf(`${'a'.repeat(40)}-one`), usernameOf(`${'a'.repeat(40)}-two`)];
    expect(one).toHaveLength(32);
    expect(one).toMatch(/^app_[a-z0-9_]+$/);
    expect(one).not.toBe(other);
    expect(usernameOf('a'.repeat(28))).toBe(`app_${'a'.repeat(28)}`);
  });
});

describe('what an app is given', () => {
  const bound = app('api', { bindings: [{ service: 'db' }] });
  const given = (secret: Secret | undefined, current?: Deployment, outcome?: Outcome) =>
    judgeBindings(bound, planBindings(bound, world({ secrets: secret ? [secret] : [] })), { get: () => outcome }, current);
  const running = deployment(bound, [{ service: 'db', secret: 'api-db-binding', digest: 'old' }], 37);
  it('is nothing before the account has been logged in with', () =>
    expect(given(secretOf('api', 'db', { database: 'api_test' }))).toMatchObject({ given: [], complete: false }));
  it('are the variables that have been seen to work', () =>
    expect(given(secretOf('api', 'db', { given: 'new' }), running)).toMatchObject({
      given: [{ service: 'db', digest: 'new' }],
      complete: true,
    }));
  it('is not said to be bound to what it has not been given yet', () => {
    const outcome = { entry: { service: 'db' }, ready: true, reason: 'Bound', message: 'It works.', given: 'new' };
    for (const secret of [secretOf('api', 'db', { database: 'api_test' }), secretOf('api', 'db', { given: 'old' })])
      expect(given(secret, running, outcome)).toMatchObject({
        judgement: { status: 'False', reason: 'Binding' },
        statuses: [{ ready: false }],
      });
    expect(given(secretOf('api', 'db', { given: 'new' }), running, outcome).judgement).toMatchObject({ status: 'True', reason: 'Bound' });
  });
  it('waits for a person where one of its bindings does', () => {
    const two = app('api', { bindings: [{ service: 'db' }, { service: 'cache', database: '!' }] });
    expect(judgeBindings(two, planBindings(two, world()), { get: () => undefined }, undefined).judgement.reason).toBe('DatabaseRefused');
  });
  it('stays what the pods have while another account is made', () => {
    expect(given(undefined, running)).toMatchObject({ given: [{ service: 'db', digest: 'old' }], complete: true });
  });
});

describe('the Deployment', () => {
  const template = (spec: Partial<AppSpec>, minor = 37) => deployment(app('api', spec), [], minor).spec!.template;
  it('gives a process no more rights than it needs to give up those of root', () => {
    const { securityContext, automountServiceAccountToken, containers } = template({}).spec!;
    expect(securityContext).toEqual({ seccompProfile: { type: 'RuntimeDefault' } });
    expect(automountServiceAccountToken).toBe(false);
    expect(containers[0]?.securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
  });
  it('lets a pod serve on until proxies have heard of its end, as far as the server can', () => {
    expect(template({}).spec?.containers[0]?.lifecycle?.preStop).toEqual({ sleep: { seconds: 5 } });
    expect(template({}, 20).spec?.containers[0]?.lifecycle?.preStop).toEqual({ exec: { command: ['sleep', '5'] } });
    expect(template({ port: undefined }).spec?.containers[0]).not.toHaveProperty('lifecycle');
  });
  it('has another template when the variables of a binding are others', () => {
    const digests = ['a', 'b'].map(
      (digest) => deployment(app('api'), [{ service: 'db', secret: 's', digest }], 37).spec!.template.metadata!.annotations,
    );
    expect(digests[0]).not.toEqual(digests[1]);
  });
});

describe('refusal', () => {
  it.each([
    ['a long name', app('a'.repeat(47)), 'at most 46'],
    ['no image', app('api', { image: undefined, command: ['x'] }), 'Only the embedded cluster'],
    ['no image and no command', app('api', { image: undefined }), 'neither an image nor a command'],
    ['a host without a port', app('api', { host: 'a.test', port: undefined }), 'needs a port'],
    ['an odd prefix', app('api', { bindings: [{ service: 'db', prefix: 'db' }] }), '"db"'],
    ['a service twice', app('api', { bindings: [{ service: 'db' }, { service: 'db' }] }), 'twice'],
  ])('is told of %s, for servers without rules', (_, one, text) => expect(refusal(one, false)).toContain(text));
  it('takes a command alone where commands run', () =>
    expect(refusal(app('api', { image: undefined, command: ['x'] }), true)).toBeUndefined());
});

describe('workloadState', () => {
  const made = deployment(app('api', { replicas: 2 }), [], 37);
  const pod = (status: Pod['status'], newest = true): Pod => ({
    metadata: { name: newest ? 'api-new' : 'api-old', annotations: newest ? made.spec!.template.metadata!.annotations : {} },
    status,
  });
  const ready: Pod['status'] = { conditions: [{ type: 'Ready', status: 'True' }] };
  const rolled = { observedGeneration: undefined, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
  it('is ready when every replica has the newest template and is', () =>
    expect(workloadState({ ...made, status: rolled }, [pod(ready), pod(ready)])).toMatchObject({
      ready: true,
      replicas: 2,
      readyReplicas: 2,
    }));
  it('tells of the pods of before while it updates', () =>
    expect(workloadState({ ...made, status: { ...rolled, updatedReplicas: 1 } }, [pod({}), pod(ready, false)])).toMatchObject({
      ready: false,
      reason: 'Updating',
      readyReplicas: 0,
    }));
  it('says which trouble keeps a new pod from starting', () => {
    const waiting = {
      containerStatuses: [
        {
          name: 'api',
          image: '',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } },
        },
      ],
    };
    expect(workloadState({ ...made, status: { ...rolled, updatedReplicas: 1 } }, [pod(waiting), pod(ready, false)])).toMatchObject({
      reason: 'ImagePullBackOff',
      message: expect.stringContaining('no such image') as string,
    });
  });
  it('passes on why no pod can be made', () => {
    const conditions = [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota' }];
    expect(workloadState({ ...made, status: { conditions } }, [])).toMatchObject({
      reason: 'FailedCreate',
      message: expect.stringContaining('exceeded quota') as string,
    });
  });
  it('is content with none when none is wanted', () =>
    expect(workloadState({ ...deployment(app('api', { replicas: 0 }), [], 37), status: {} }, [])).toMatchObject({
      ready: true,
      reason: 'ScaledToZero',
    }));
});
