import { describe, expect, it } from 'vitest';
import type { ContainerStatus, PersistentVolumeClaim, Pod } from 'kubernetes-types/core/v1.d.ts';
import { conditionTypes, findCondition, labels, stalledCondition, type StatefulService, type StatefulServiceSpec } from '@skipper/api';
import { engines, engineOf } from '@skipper/engines';
import { isFalse, isTrue, type Judgement } from '../conditions.ts';
import { nameProblem } from '../ownership.ts';
import { newPassword } from '../passwords.ts';
import { summarize } from './conditions.ts';
import { credentialsProblem, credentialsSecret } from './credentials.ts';
import { foreignObjects, ownerReference } from './ownership.ts';
import { statusOf } from './status.ts';
import { decideStorage, versionOnVolume } from './storage.ts';
import { resourcesOf, statefulSet } from './workload.ts';

const service = (spec: Partial<StatefulServiceSpec> = {}): StatefulService => ({
  metadata: { name: 'db', namespace: 'default', uid: 'uid-1', generation: 1 },
  spec: { type: 'postgres', ...spec },
});
const postgres = engineOf('postgres');

describe.each(engines.map((engine) => [engine.type, engine] as const))('the StatefulSet of %s', (type, engine) => {
  const pod = statefulSet(service({ type }), engine, engine.defaultVersion).spec!.template.spec!;
  it('meets the restricted Pod Security Standard', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(pod.automountServiceAccountToken).toBe(false);
    for (const container of pod.containers) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    for (const volume of pod.volumes ?? [])
      expect(
        Object.keys(volume)
          .filter((key) => key !== 'name')
          .every((key) => ['emptyDir', 'persistentVolumeClaim'].includes(key)),
      ).toBe(true);
  });
  it('gives the engine time to stop', () => expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(30));
  it('mounts every folder that is written', () =>
    expect(pod.containers[0]?.volumeMounts?.map(({ mountPath }) => mountPath)).toEqual(
      expect.arrayContaining([engine.dataPath, ...engine.scratchPaths]),
    ));
});

describe('a restart', () => {
  const template = (restartedAt?: string) =>
    statefulSet(
      {
        ...service(),
        metadata: {
          ...service().metadata,
          annotations: { other: 'x', ...(restartedAt ? { 'skipper.dev/restarted-at': restartedAt } : {}) },
        },
      },
      postgres,
      '18',
    ).spec!.template.metadata;
  it('changes the pod template', () =>
    expect(template('2026-01-01T00:00:00Z')?.annotations).toEqual({ 'skipper.dev/restarted-at': '2026-01-01T00:00:00Z' }));
  it('leaves the template alone when none was asked for', () => expect(template()?.annotations).toBeUndefined());
});

describe('resourcesOf', () => {
  it.each([
    ['nothing', {}, { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } }],
    [
      'a limit below the default request',
      { limits: { memory: '128Mi' } },
      { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '128Mi' } },
    ],
    [
      'a request above the default limit',
      { requests: { memory: '2Gi' } },
      { requests: { cpu: '100m', memory: '2Gi' }, limits: { memory: '2Gi' } },
    ],
    [
      'both',
      { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '3Gi' } },
      { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '3Gi' } },
    ],
  ])('fits the defaults to %s', (_, resources, expected) =>
    expect(resourcesOf({ type: 'postgres', resources }, postgres)).toEqual(expected),
  );
});

describe('versionOnVolume', () => {
  const claim: PersistentVolumeClaim = { metadata: { labels: { [labels.version]: '8.4' } } };
  const pod = (container: ContainerStatus['state'], lastState?: ContainerStatus['state']): Pod => ({
    metadata: { labels: { [labels.version]: '9.99' } },
    status: { containerStatuses: [{ name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state: container, lastState }] },
  });
  it('is that of an engine that has begun to run', () => {
    const startedAt = '2026-01-01T00:00:00Z' as never;
    expect(versionOnVolume(claim, pod({ running: { startedAt } }))).toBe('9.99');
    expect(versionOnVolume(claim, pod({ waiting: {} }, { terminated: { exitCode: 1, startedAt } }))).toBe('9.99');
  });
  it('stays what it was while the next one cannot even start', () => {
    expect(versionOnVolume(claim, pod({ waiting: { reason: 'ImagePullBackOff' } }))).toBe('8.4');
    // As a kubelet leaves it of a pod that is deleted before its image came.
    const unknown = { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', startedAt: null as never } };
    expect(versionOnVolume(claim, pod(unknown))).toBe('8.4');
    expect(versionOnVolume(claim, undefined)).toBe('8.4');
    expect(versionOnVolume({}, pod({ waiting: { reason: 'ImagePullBackOff' } }))).toBeUndefined();
  });
});

describe('decideStorage', () => {
  const claim = (requested: string, capacity?: string): PersistentVolumeClaim => ({
    spec: { resources: { requests: { storage: requested } } },
    status: capacity ? { capacity: { storage: capacity } } : {},
  });
  it.each([
    ['leaves a volume of the wanted size', '5Gi', claim('5Gi', '5Gi'), { kind: 'enough' }],
    ['leaves a size that nobody named', undefined, claim('20Gi', '20Gi'), { kind: 'enough' }],
    ['grows', '10Gi', claim('5Gi', '5Gi'), { kind: 'grow', size: '10Gi' }],
    ['waits for a growth under way', '10Gi', claim('10Gi', '5Gi'), { kind: 'growing', size: '10Gi' }],
    ['never shrinks', '1Gi', claim('5Gi', '5Gi'), { kind: 'larger', size: '5Gi' }],
    ['compares by value', '1024Mi', claim('1Gi', '1Gi'), { kind: 'enough' }],
  ])('%s', (_, storage, current, expected) => expect(decideStorage(service({ storage }), current)).toEqual(expected));
});

describe('credentials', () => {
  it('are letters and digits, and new each time', () => {
    const made = new Set(Array.from({ length: 200 }, newPassword));
    expect(made.size).toBe(200);
    for (const password of made) expect(password).toMatch(/^[A-Za-z0-9]{32}$/);
  });
  it('are not minted over data', () =>
    expect(credentialsProblem(service(), postgres, undefined, true)?.reason).toBe('DataWithoutCredentials'));
  it('are made where there is no data', () => expect(credentialsProblem(service(), postgres, undefined, false)).toBeUndefined());
  it('must be of the same type', () => {
    const secret = credentialsSecret(service({ type: 'redis' }), engineOf('redis'), 'x');
    expect(credentialsProblem(service(), postgres, secret, true)?.reason).toBe('OtherType');
  });
  it('must be whole', () => {
    const secret = credentialsSecret(service(), postgres, 'x');
    expect(credentialsProblem(service(), postgres, { ...secret, data: { username: 'eA==' } }, true)?.message).toContain(
      'password, database',
    );
  });
});

describe('foreignObjects', () => {
  const none = {
    statefulSet: undefined,
    headlessService: undefined,
    networkPolicy: undefined,
    claim: undefined,
    secret: undefined,
    pod: undefined,
  };
  it('knows its own children by their owner, and what it keeps by its labels', () => {
    const secret = credentialsSecret(service(), postgres, 'x');
    expect(
      foreignObjects(service(), { ...none, secret, statefulSet: { metadata: { ownerReferences: [ownerReference(service())] } } }),
    ).toEqual([]);
  });
  it('names what another service or somebody else made', () => {
    const other = ownerReference({ ...service(), metadata: { ...service().metadata, uid: 'uid-2' } });
    const found = foreignObjects(service(), { ...none, claim: {}, statefulSet: { metadata: { ownerReferences: [other] } } });
    expect(found.map(({ what }) => what)).toEqual(['StatefulSet "db"', 'PersistentVolumeClaim "data-db-0"']);
    expect(nameProblem(found, service(), 'service').reason).toBe('NameTaken');
  });
  it('waits for what goes by itself: the rest of the service that had its name before, and what is being deleted', () => {
    const before = ownerReference({ ...service(), metadata: { ...service().metadata, uid: 'uid-2' } });
    const found = foreignObjects(service(), {
      ...none,
      headlessService: { metadata: { deletionTimestamp: 'now' as never } },
      statefulSet: { metadata: { ownerReferences: [before] } },
    });
    const { reason, message } = nameProblem(found, service(), 'service');
    expect(message).toBe('StatefulSet "db" and Service "db" in namespace "default" are still being removed.');
    expect(reason).toBe('NameNotFreeYet');
  });
});

describe('statusOf', () => {
  const stalled = (...judgements: Judgement[]) =>
    findCondition(statusOf(service(), { judgements, bound: false }, new Date(0)).conditions, stalledCondition);
  it('says that it is stalled when only a person can go on', () =>
    expect(stalled(isFalse(conditionTypes.nameFree, 'NameTaken', 'It is taken.'))).toMatchObject({
      status: 'True',
      reason: 'NameTaken',
      message: 'It is taken.',
      observedGeneration: 1,
    }));
  it('does not when it is on its way, or there', () => {
    expect(stalled(isFalse(conditionTypes.workloadReady, 'Starting', 'It starts.'))).toBeUndefined();
    expect(stalled(isTrue(conditionTypes.workloadReady, 'Running', 'It runs.'))).toBeUndefined();
  });
});

describe('summarize', () => {
  const running = isTrue(conditionTypes.workloadReady, 'Running', 'It runs.');
  const [name, storage] = [isTrue(conditionTypes.nameFree, 'NameFree', ''), isTrue(conditionTypes.storageReady, 'StorageReady', '')];
  it('is ready when all is', () =>
    expect(summarize([name, storage, running])[0]).toMatchObject({ type: 'Ready', status: 'True', reason: 'Running' }));
  it('names what stands in the way', () =>
    expect(summarize([isFalse(conditionTypes.nameFree, 'NameTaken', 'taken'), running])[0]).toMatchObject({
      type: 'Ready',
      status: 'False',
      reason: 'NameTaken',
    }));
  it('stays ready when the volume cannot grow, and says so', () => {
    expect(summarize([name, isFalse(conditionTypes.storageReady, 'ExpansionUnsupported', 'It keeps 5Gi.'), running])[0]).toMatchObject({
      status: 'True',
      message: 'It runs. It keeps 5Gi.',
    });
  });
});
