import { events, leases, pods, secrets, services, statefulSets } from '@skipper/api';
import { KubeError, hasReason } from '@skipper/kube';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { ask, createNamespace, kube, minorVersion, pathOf } from './support/cluster.ts';
import { configMaps, deployments, serviceAccounts } from './support/kinds.ts';
import { podSpec, scripts } from './support/pods.ts';
import { failureOf, until } from './support/until.ts';

const namespace = await createNamespace('objects');
const inNamespace = { namespace };
const create = (name: string, more: Partial<ConfigMap> = {}) =>
  kube.create(configMaps, { ...more, metadata: { namespace, name, ...more.metadata } });

describe('an object', () => {
  it('gets identity, time and version when it is created', async () => {
    const created = await create('new', { data: { a: '1' }, metadata: { labels: { x: 'y' } } });
    expect(created).toMatchObject({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      data: { a: '1' },
      metadata: {
        name: 'new',
        namespace,
        labels: { x: 'y' },
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        resourceVersion: expect.stringMatching(/^\d+$/),
      },
    });
    expect(created.metadata).not.toHaveProperty('generation');
    expect(await kube.get(configMaps, 'new', inNamespace)).toEqual(created);
  });

  it('cannot choose its identity', async () => {
    const created = await create('chosen', {
      metadata: {
        uid: '11111111-2222-3333-4444-555555555555',
        creationTimestamp: '2001-01-01T00:00:00Z',
        generation: 7,
        selfLink: '/x',
        deletionTimestamp: '2001-01-01T00:00:00Z',
      },
    });
    expect(created.metadata?.uid).not.toBe('11111111-2222-3333-4444-555555555555');
    expect(created.metadata?.creationTimestamp).not.toBe('2001-01-01T00:00:00Z');
    expect(created.metadata?.deletionTimestamp).toBeUndefined();
  });

  it('cannot be created with a version', async () => {
    const error = await failureOf(create('versioned', { metadata: { resourceVersion: '1' } }));
    expect(error).toMatchObject({ message: 'resourceVersion should not be set on objects to be created' });
  });

  it('exists once', async () => {
    await create('once');
    const error = await failureOf(create('once'));
    expect(error).toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
      message: 'configmaps "once" already exists',
      status: { details: { name: 'once', kind: 'configmaps' } },
    });
  });

  it('that is not there is not found', async () => {
    const error = await failureOf(kube.get(configMaps, 'nothing', inNamespace));
    expect(error).toBeInstanceOf(KubeError);
    expect(error).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'configmaps "nothing" not found',
      status: { kind: 'Status', details: { name: 'nothing', kind: 'configmaps' } },
    });
    expect(await failureOf(kube.get(statefulSets, 'nothing', inNamespace))).toMatchObject({
      message: 'statefulsets.apps "nothing" not found',
      status: { details: { name: 'nothing', group: 'apps', kind: 'statefulsets' } },
    });
    expect(await kube.find(configMaps, 'nothing', inNamespace)).toBeUndefined();
    expect(await kube.delete(configMaps, 'nothing', inNamespace)).toBeUndefined();
    expect(
      hasReason(await failureOf(kube.replace(configMaps, { metadata: { namespace, name: 'nothing', resourceVersion: '1' } })), 'NotFound'),
    ).toBe(true);
    expect(hasReason(await failureOf(kube.patch(configMaps, 'nothing', { data: { a: '1' } }, inNamespace)), 'NotFound')).toBe(true);
  });

  it('gets a name from generateName', async () => {
    const made = await Promise.all([1, 2, 3].map(() => kube.create(configMaps, { metadata: { namespace, generateName: 'made-' } })));
    const names = made.map(({ metadata }) => metadata?.name);
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(/^made-[a-z0-9]{5}$/);
  });

  it('needs a name', async () => {
    expect(await failureOf(kube.create(configMaps, { metadata: { namespace } }))).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: {
        details: {
          causes: [{ reason: 'FieldValueRequired', field: 'metadata.name', message: 'Required value: name or generateName is required' }],
        },
      },
    });
  });

  it.each(['Upper', 'a_b', '-a', 'a..b', 'x'.repeat(254)])('cannot be named %j', async (name) => {
    expect(await failureOf(create(name))).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: { details: { causes: [{ reason: 'FieldValueInvalid', field: 'metadata.name' }] } },
    });
  });

  it('cannot have malformed labels or annotations', async () => {
    expect(await failureOf(create('labels', { metadata: { labels: { 'a b': 'c' } } }))).toMatchObject({
      code: 422,
      status: { details: { causes: [{ reason: 'FieldValueInvalid', field: 'metadata.labels' }] } },
    });
    expect(await failureOf(create('labels', { metadata: { labels: { a: 'x'.repeat(64) } } }))).toMatchObject({
      code: 422,
      status: { details: { causes: [{ field: 'metadata.labels' }] } },
    });
    expect(await failureOf(create('labels', { metadata: { annotations: { 'a b': 'c' } } }))).toMatchObject({
      code: 422,
      status: { details: { causes: [{ field: 'metadata.annotations' }] } },
    });
  });

  it('cannot be created in a namespace that does not exist', async () => {
    expect(await failureOf(kube.create(configMaps, { metadata: { namespace: 'there-is-no-such', name: 'x' } }))).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'namespaces "there-is-no-such" not found',
    });
  });

  it('is replaced in the version that was read', async () => {
    const first = await create('replaced', { data: { a: '1' } });
    const second = await kube.replace(configMaps, { ...first, data: { a: '2' } });
    expect(second.data).toEqual({ a: '2' });
    expect(second.metadata).toMatchObject({ uid: first.metadata?.uid, creationTimestamp: first.metadata?.creationTimestamp });
    expect(second.metadata?.resourceVersion).not.toBe(first.metadata?.resourceVersion);
    expect(await failureOf(kube.replace(configMaps, { ...first, data: { a: '3' } }))).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on configmaps "replaced": the object has been modified; please apply your changes to the latest version and try again',
    });
    expect((await kube.get(configMaps, 'replaced', inNamespace)).data).toEqual({ a: '2' });
  });

  it('is replaced whatever its version when none is given', async () => {
    await create('forced', { data: { a: '1' } });
    const replaced = await kube.replace(configMaps, { metadata: { namespace, name: 'forced' }, data: { b: '2' } });
    expect(replaced.data).toEqual({ b: '2' });
  });

  it('keeps its version when nothing changes', async () => {
    const first = await create('same', { data: { a: '1' } });
    const again = await kube.replace(configMaps, first);
    expect(again.metadata?.resourceVersion).toBe(first.metadata?.resourceVersion);
    const patched = await kube.patch(configMaps, 'same', { data: { a: '1' } }, inNamespace);
    expect(patched.metadata?.resourceVersion).toBe(first.metadata?.resourceVersion);
  });

  it('is not replaced by another object of its name', async () => {
    const { metadata } = await create('identity');
    expect(
      await failureOf(kube.replace(configMaps, { metadata: { ...metadata, uid: '11111111-2222-3333-4444-555555555555' } })),
    ).toMatchObject({ code: 409, reason: 'Conflict' });
  });

  it('loses no update of many writers that retry after a conflict', async () => {
    await create('counter', { data: { n: '0' } });
    let conflicts = 0;
    const increment = async (): Promise<void> => {
      for (;;) {
        const seen = await kube.get(configMaps, 'counter', inNamespace);
        try {
          await kube.replace(configMaps, { ...seen, data: { n: String(Number(seen.data?.['n']) + 1) } });
          return;
        } catch (error) {
          if (!hasReason(error, 'Conflict')) throw error;
          conflicts++;
        }
      }
    };
    await Promise.all(Array.from({ length: 12 }, increment));
    expect((await kube.get(configMaps, 'counter', inNamespace)).data).toEqual({ n: '12' });
    expect(conflicts).toBeGreaterThan(0);
  });

  it('is deleted in its version and identity only, when asked so', async () => {
    const { metadata } = await create('condition');
    const uid = '11111111-2222-3333-4444-555555555555';
    expect(await failureOf(kube.delete(configMaps, 'condition', { namespace, uid }))).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message: expect.stringContaining(uid),
    });
    expect(await failureOf(kube.delete(configMaps, 'condition', { namespace, resourceVersion: '1' }))).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message: expect.stringMatching(/ ResourceVersion in (the )?precondition/),
    });
    await kube.delete(configMaps, 'condition', { namespace, uid: metadata?.uid, resourceVersion: metadata?.resourceVersion });
    expect(await kube.find(configMaps, 'condition', inNamespace)).toBeUndefined();
  });

  it('stays what it was in a dry run', async () => {
    const tried = await kube.create(configMaps, { metadata: { namespace, name: 'dry' } }, { dryRun: true });
    expect(tried.metadata?.uid).toBeTruthy();
    expect(await kube.find(configMaps, 'dry', inNamespace)).toBeUndefined();
    const real = await create('wet', { data: { a: '1' } });
    expect((await kube.patch(configMaps, 'wet', { data: { a: '2' } }, { namespace, dryRun: true })).data).toEqual({ a: '2' });
    expect((await kube.replace(configMaps, { ...real, data: { a: '3' } }, { dryRun: true })).data).toEqual({ a: '3' });
    expect(await ask('DELETE', `${pathOf(configMaps, namespace, 'wet')}?dryRun=All`)).toMatchObject({ status: 200 });
    expect(await kube.get(configMaps, 'wet', inNamespace)).toEqual(real);
    expect(
      await ask('POST', `${pathOf(configMaps, namespace)}?dryRun=Some`, {
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'some' } },
      }),
    ).toMatchObject({ status: 422, body: { reason: 'Invalid' } });
  });

  it('that is immutable stays as it is', async () => {
    await create('immutable', { data: { a: '1' }, immutable: true });
    expect(await failureOf(kube.patch(configMaps, 'immutable', { data: { a: '2' } }, inNamespace))).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: {
        details: {
          causes: [
            {
              field: 'data',
              reason: 'FieldValueForbidden',
              message: expect.stringContaining('field is immutable when `immutable` is set'),
            },
          ],
        },
      },
    });
  });

  it('goes with all others of a collection that a selector names', async () => {
    await Promise.all([
      create('bulk-1', { metadata: { labels: { bulk: 'yes' } } }),
      create('bulk-2', { metadata: { labels: { bulk: 'yes' } } }),
      create('bulk-3', { metadata: { labels: { bulk: 'no' } } }),
    ]);
    expect(await ask('DELETE', `${pathOf(configMaps, namespace)}?labelSelector=bulk%3Dyes`)).toMatchObject({ status: 200 });
    const left = await kube.list(configMaps, { namespace, labelSelector: 'bulk' });
    expect(left.items.map(({ metadata }) => metadata?.name)).toEqual(['bulk-3']);
  });
});

describe('a Secret', () => {
  it('takes stringData as data and has a type', async () => {
    const created = await kube.create(secrets, {
      metadata: { namespace, name: 'plain' },
      data: { a: 'b2xk', b: 'Yg==' },
      stringData: { a: 'new' },
    });
    expect(created).toMatchObject({ type: 'Opaque', data: { a: 'bmV3', b: 'Yg==' } });
    expect(created).not.toHaveProperty('stringData');
  });

  it('refuses data that is not Base64', async () => {
    expect(await failureOf(kube.create(secrets, { metadata: { namespace, name: 'malformed' }, data: { a: '***' } }))).toMatchObject({
      code: 400,
      reason: 'BadRequest',
    });
  });

  it('cannot change its type', async () => {
    await kube.create(secrets, { metadata: { namespace, name: 'typed' }, type: 'example.com/a' });
    expect(await failureOf(kube.patch(secrets, 'typed', { type: 'example.com/b' }, inNamespace))).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: { details: { causes: [{ field: 'type', reason: 'FieldValueInvalid' }] } },
    });
  });
});

describe('generation and subresources', () => {
  const deployment = (name: string, replicas = 0) => ({
    metadata: { namespace, name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: podSpec(scripts.idle) },
    },
  });

  it('counts changes of the spec, not of metadata or status', async () => {
    const created = await kube.create(deployments, deployment('generation'));
    expect(created.metadata?.generation).toBe(1);
    await until(
      'the controller has seen it',
      async () => (await kube.get(deployments, 'generation', inNamespace)).status?.observedGeneration === 1,
    );
    const labelled = await kube.patch(deployments, 'generation', { metadata: { labels: { a: 'b' } } }, inNamespace);
    expect(labelled.metadata?.generation).toBe(1);
    const changed = await kube.patch(deployments, 'generation', { spec: { minReadySeconds: 1 } }, inNamespace);
    expect(changed.metadata?.generation).toBe(2);
    await until(
      'the controller has seen it',
      async () => (await kube.get(deployments, 'generation', inNamespace)).status?.observedGeneration === 2,
    );
  });

  it('keeps status apart', async () => {
    const created = await kube.create(services, { metadata: { namespace, name: 'status' }, spec: { ports: [{ port: 80 }] } });
    const ignored = await kube.patch(services, 'status', { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }, inNamespace);
    expect(ignored.status).toEqual(created.status);
    const written = await kube.patch(
      services,
      'status',
      {
        metadata: { labels: { a: 'b' } },
        spec: { ports: [{ port: 81 }] },
        status: { conditions: [{ type: 'Seen', status: 'True', reason: 'Test', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
      },
      { namespace, subresource: 'status' },
    );
    expect(written.status?.conditions).toEqual([
      { type: 'Seen', status: 'True', reason: 'Test', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ]);
    expect(written.spec).toEqual(created.spec);
    const read = await ask<{ status: object }>('GET', `${pathOf(services, namespace, 'status')}/status`);
    expect(read.body.status).toEqual(written.status);
  });

  it('scales by the scale subresource', async () => {
    await kube.create(deployments, deployment('scaled'));
    const path = `${pathOf(deployments, namespace, 'scaled')}/scale`;
    const scale = (await ask<{ metadata: { resourceVersion: string }; spec: { replicas?: number } }>('GET', path)).body;
    expect(scale).toMatchObject({
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'scaled', namespace },
      spec: {},
      status: { replicas: 0, selector: 'app=scaled' },
    });
    expect(await ask('PUT', path, { body: { ...scale, spec: { replicas: -1 } } })).toMatchObject({
      status: 422,
      body: { reason: 'Invalid', details: { causes: [{ field: 'spec.replicas' }] } },
    });
    // A paused deployment takes the number and makes no pods.
    await kube.patch(deployments, 'scaled', { spec: { paused: true } }, inNamespace);
    expect(
      await ask('PATCH', path, { body: { spec: { replicas: 2 } }, headers: { 'content-type': 'application/merge-patch+json' } }),
    ).toMatchObject({ status: 200, body: { kind: 'Scale', spec: { replicas: 2 } } });
    expect((await kube.get(deployments, 'scaled', inNamespace)).spec?.replicas).toBe(2);
    await kube.delete(deployments, 'scaled', { namespace, propagation: 'Background' });
  });
});

describe('defaults and validation', () => {
  it('fills in what a deployment leaves out', async () => {
    const created = await kube.create(deployments, {
      metadata: { namespace, name: 'defaults' },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'defaults' } },
        template: {
          metadata: { labels: { app: 'defaults' } },
          spec: {
            containers: [{ name: 'a', image: 'node:22-alpine', ports: [{ containerPort: 1 }], readinessProbe: { httpGet: { port: 1 } } }],
          },
        },
      },
    });
    expect(created.spec).toMatchObject({
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      template: {
        spec: {
          restartPolicy: 'Always',
          terminationGracePeriodSeconds: 30,
          dnsPolicy: 'ClusterFirst',
          securityContext: {},
          schedulerName: 'default-scheduler',
          containers: [
            {
              imagePullPolicy: 'IfNotPresent',
              terminationMessagePath: '/dev/termination-log',
              terminationMessagePolicy: 'File',
              resources: {},
              ports: [{ containerPort: 1, protocol: 'TCP' }],
              readinessProbe: {
                httpGet: { path: '/', port: 1, scheme: 'HTTP' },
                timeoutSeconds: 1,
                periodSeconds: 10,
                successThreshold: 1,
                failureThreshold: 3,
              },
            },
          ],
        },
      },
    });
  });

  it('fills in what a stateful set leaves out', async () => {
    const created = await kube.create(statefulSets, {
      metadata: { namespace, name: 'defaults' },
      spec: {
        replicas: 0,
        serviceName: 'defaults',
        selector: { matchLabels: { app: 'defaults' } },
        template: { metadata: { labels: { app: 'defaults' } }, spec: podSpec(scripts.idle) },
        volumeClaimTemplates: [
          { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
        ],
      },
    });
    expect(created.spec).toMatchObject({
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      revisionHistoryLimit: 10,
      volumeClaimTemplates: [{ spec: { volumeMode: 'Filesystem' } }],
    });
  });

  it('fills in what a service leaves out', async () => {
    const created = await kube.create(services, {
      metadata: { namespace, name: 'defaults' },
      spec: { selector: { a: 'b' }, ports: [{ port: 80 }] },
    });
    expect(created.spec).toMatchObject({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      clusterIP: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
    });
    const headless = await kube.create(services, {
      metadata: { namespace, name: 'headless' },
      spec: { clusterIP: 'None', ports: [{ port: 80 }] },
    });
    expect(headless.spec?.clusterIP).toBe('None');
  });

  it('names each field that is wrong', async () => {
    const causes = async (attempt: Promise<unknown>) =>
      ((await failureOf(attempt)) as KubeError).status.details?.causes?.map(({ reason, field }) => `${field}: ${reason}`).sort();
    const template = (containers: object[]) => ({ metadata: { labels: { app: 'x' } }, spec: { containers } });
    const set = (spec: object) =>
      kube.create(statefulSets, {
        metadata: { namespace, name: 'wrong' },
        spec: {
          serviceName: 'x',
          selector: { matchLabels: { app: 'x' } },
          template: template([{ name: 'a', image: 'a' }]),
          ...spec,
        } as never,
      });
    // Early versions look at the template of a Deployment only.
    const rollout = (containers: object[]) =>
      kube.create(deployments, {
        metadata: { namespace, name: 'wrong' },
        spec: { selector: { matchLabels: { app: 'x' } }, template: template(containers) } as never,
      });
    expect(await causes(set({ replicas: -1 }))).toEqual(['spec.replicas: FieldValueInvalid']);
    expect(await causes(set({ selector: { matchLabels: { app: 'y' } } }))).toEqual(['spec.template.metadata.labels: FieldValueInvalid']);
    expect(await causes(rollout([]))).toEqual(['spec.template.spec.containers: FieldValueRequired']);
    // A template may leave the image to others in early versions.
    expect(await causes(kube.create(pods, { metadata: { namespace, name: 'wrong' }, spec: { containers: [{ name: 'a' }] } }))).toContain(
      'spec.containers[0].image: FieldValueRequired',
    );
    expect(await causes(rollout([{ name: 'A', image: 'a' }]))).toEqual(['spec.template.spec.containers[0].name: FieldValueInvalid']);
    expect(
      await causes(
        rollout([
          { name: 'a', image: 'a' },
          { name: 'a', image: 'a' },
        ]),
      ),
    ).toEqual(['spec.template.spec.containers[1].name: FieldValueDuplicate']);
    expect(await causes(rollout([{ name: 'a', image: 'a', imagePullPolicy: 'Sometimes' }]))).toEqual([
      'spec.template.spec.containers[0].imagePullPolicy: FieldValueNotSupported',
    ]);
    expect(await causes(rollout([{ name: 'a', image: 'a', ports: [{ containerPort: 70_000 }] }]))).toEqual([
      'spec.template.spec.containers[0].ports[0].containerPort: FieldValueInvalid',
    ]);
    expect(await causes(rollout([{ name: 'a', image: 'a', volumeMounts: [{ name: 'none', mountPath: '/x' }] }]))).toEqual([
      'spec.template.spec.containers[0].volumeMounts[0].name: FieldValueNotFound',
    ]);
    expect(
      await causes(rollout([{ name: 'a', image: 'a', resources: { requests: { memory: '2Gi' }, limits: { memory: '1Gi' } } }])),
    ).toEqual(['spec.template.spec.containers[0].resources.requests: FieldValueInvalid']);
    expect(await causes(kube.create(services, { metadata: { namespace, name: 'wrong' }, spec: { ports: [{ port: 0 }] } }))).toContain(
      'spec.ports[0].port: FieldValueInvalid',
    );
    expect(
      await causes(kube.create(services, { metadata: { namespace, name: 'wrong' }, spec: { ports: [{ port: 1 }, { port: 2 }] } })),
    ).toEqual(['spec.ports[0].name: FieldValueRequired', 'spec.ports[1].name: FieldValueRequired']);
  });

  it('refuses a malformed quantity', async () => {
    const error = await failureOf(
      ask('POST', '/').then(() =>
        kube.create(statefulSets, {
          metadata: { namespace, name: 'wrong' },
          spec: {
            serviceName: 'x',
            selector: { matchLabels: { app: 'x' } },
            template: {
              metadata: { labels: { app: 'x' } },
              spec: podSpec(scripts.idle, { container: { resources: { requests: { memory: '5GB' } } } }),
            },
          },
        }),
      ),
    );
    expect(error).toMatchObject({ code: 400, reason: 'BadRequest' });
    expect((error as KubeError).message).toMatch(/quantities must match the regular expression/);
  });

  it('keeps what cannot change in a stateful set', async () => {
    await kube.create(statefulSets, {
      metadata: { namespace, name: 'fixed' },
      spec: {
        replicas: 0,
        serviceName: 'a',
        selector: { matchLabels: { app: 'x' } },
        template: { metadata: { labels: { app: 'x' } }, spec: podSpec(scripts.idle) },
      },
    });
    const error = await failureOf(kube.patch(statefulSets, 'fixed', { spec: { serviceName: 'b' } }, inNamespace));
    expect(error).toMatchObject({
      code: 422,
      reason: 'Invalid',
      status: {
        details: {
          causes: [
            minorVersion < 34
              ? {
                  field: 'spec',
                  reason: 'FieldValueForbidden',
                  message: expect.stringContaining('updates to statefulset spec for fields other than'),
                }
              : { field: 'spec.serviceName', reason: 'FieldValueInvalid', message: expect.stringContaining('field is immutable') },
          ],
        },
      },
    });
  });
});

describe('small kinds', () => {
  it('keeps a lease for whoever writes first', async () => {
    const lease = await kube.create(leases, {
      metadata: { namespace, name: 'leader' },
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        acquireTime: '2026-01-01T00:00:00.123456Z',
        renewTime: '2026-01-01T00:00:00.123456Z',
      },
    });
    expect(lease.spec?.renewTime).toBe('2026-01-01T00:00:00.123456Z');
    const attempts = await Promise.allSettled(
      ['b', 'c', 'd'].map((holderIdentity) => kube.replace(leases, { ...lease, spec: { ...lease.spec, holderIdentity } })),
    );
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const attempt of attempts) if (attempt.status === 'rejected') expect(hasReason(attempt.reason, 'Conflict')).toBe(true);
    expect(
      await failureOf(kube.create(leases, { metadata: { namespace, name: 'wrong' }, spec: { leaseDurationSeconds: 0 } })),
    ).toMatchObject({ code: 422, status: { details: { causes: [{ field: 'spec.leaseDurationSeconds' }] } } });
  });

  it('keeps events and finds them by what they are about', async () => {
    const about = (name: string) =>
      kube.create(events, {
        metadata: { namespace, generateName: 'event-' },
        involvedObject: { apiVersion: 'v1', kind: 'ConfigMap', namespace, name },
        type: 'Normal',
        reason: 'Tested',
        message: `about ${name}`,
        source: { component: 'conformance' },
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:00Z',
        count: 1,
      });
    await Promise.all([about('one'), about('two')]);
    const { items } = await kube.list(events, {
      namespace,
      fieldSelector: 'involvedObject.name=one,involvedObject.kind=ConfigMap,reason=Tested,type=Normal',
    });
    expect(items.map(({ message }) => message)).toEqual(['about one']);
    expect(
      await failureOf(
        kube.create(events, {
          metadata: { namespace, name: 'astray' },
          involvedObject: { kind: 'ConfigMap', namespace: 'elsewhere', name: 'x' },
        }),
      ),
    ).toMatchObject({ code: 422, reason: 'Invalid', status: { details: { causes: [{ field: 'involvedObject.namespace' }] } } });
  });

  it('gives every namespace a default service account', async () => {
    await until('the default service account exists', () => kube.find(serviceAccounts, 'default', inNamespace));
  });
});
