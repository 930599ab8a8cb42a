import { persistentVolumeClaims, pods, services, statefulSets } from '@skipper/api';
import type { Deployment, DeploymentStrategy, StatefulSet, StatefulSetSpec } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployments, endpoints, persistentVolumes, replicaSets } from '../kinds.ts';
import {
  anyProgram,
  idle,
  isAlive,
  isReady,
  noProgram,
  pidOf,
  startTestCluster,
  until,
  type TestCluster,
} from '../node/cluster.fixture.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());

const namespace = 'default';
const versionOf = (pod: Pod) => pod.spec?.containers[0]?.env?.[0]?.value;
const template = (app: string, version: string, image = anyProgram) => ({
  metadata: { labels: { app } },
  spec: {
    terminationGracePeriodSeconds: 1,
    // Without a command, or an image that nobody knows would run as a process.
    containers: [
      {
        name: 'main',
        image,
        ...(image === noProgram ? {} : { command: ['node', '-e', idle] }),
        env: [{ name: 'VERSION', value: version }],
      },
    ],
  },
});
const podsOf = async (app: string) =>
  (await cluster.kube.list(pods, { namespace, labelSelector: `app=${app}` })).items.sort((a, b) =>
    a.metadata!.name!.localeCompare(b.metadata!.name!),
  );
const versions = async (app: string) => (await podsOf(app)).map((pod) => `${versionOf(pod)}${isReady(pod) ? '' : '?'}`).join(' ');
const shows = (app: string, expected: string) =>
  until(`the pods of ${app} are ${expected}`, async () => (await versions(app)) === expected);

describe('a StatefulSet', () => {
  const create = (name: string, spec: Partial<StatefulSetSpec> = {}) =>
    cluster.kube.create(statefulSets, {
      metadata: { name, namespace },
      spec: { serviceName: name, replicas: 3, selector: { matchLabels: { app: name } }, template: template(name, 'one'), ...spec },
    });
  const get = (name: string) => cluster.kube.get(statefulSets, name, { namespace });
  const change = (name: string, spec: object) => cluster.kube.patch(statefulSets, name, { spec }, { namespace }) as Promise<StatefulSet>;

  it('rolls down to its partition, makes a lost pod below it of the old template, and the rest when the partition goes', async () => {
    await create('parted', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } });
    await shows('parted', 'one one one');
    await change('parted', { template: template('parted', 'two') });
    await shows('parted', 'one one two');
    await cluster.kube.delete(pods, 'parted-0', { namespace });
    await until('it is made again', async () => {
      const [first] = await podsOf('parted');
      return first && !first.metadata?.deletionTimestamp && isReady(first);
    });
    await shows('parted', 'one one two');
    const { status } = await until('the status says so', async () => {
      const seen = await get('parted');
      return seen.status?.updatedReplicas === 1 && seen.status.readyReplicas === 3 && seen;
    });
    expect(status?.currentRevision).not.toBe(status?.updateRevision);
    await change('parted', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } });
    await shows('parted', 'two two two');
    await until('the revisions are one', async () => {
      const { status: seen } = await get('parted');
      return seen?.currentRevision === seen?.updateRevision && seen?.currentReplicas === 3;
    });
  });

  it('changes pods on their deletion only, when asked so', async () => {
    await create('manual', { replicas: 2, updateStrategy: { type: 'OnDelete' } });
    await shows('manual', 'one one');
    await change('manual', { template: template('manual', 'two') });
    await until('it has seen the change', async () => {
      const { metadata, status } = await get('manual');
      return status?.observedGeneration === metadata?.generation;
    });
    await cluster.kube.delete(pods, 'manual-1', { namespace });
    await shows('manual', 'one two');
  });

  it('goes on from a template that cannot run when a better one comes', async () => {
    await create('stuck', { replicas: 1, template: template('stuck', 'broken', noProgram) });
    await shows('stuck', 'broken?');
    await change('stuck', { template: template('stuck', 'mended') });
    await shows('stuck', 'mended');
  });

  it('makes failed pods again and adopts those it finds', async () => {
    await create('adopts', { replicas: 1 });
    await shows('adopts', 'one');
    const [before] = await podsOf('adopts');
    await cluster.kube.delete(statefulSets, 'adopts', { namespace, propagation: 'Orphan' });
    await until("the pod is nobody's", async () => !(await podsOf('adopts'))[0]?.metadata?.ownerReferences?.length);
    await create('adopts', { replicas: 1 });
    const owned = await until('the pod has an owner', async () => {
      const [pod] = await podsOf('adopts');
      return pod?.metadata?.ownerReferences?.length ? pod : undefined;
    });
    expect(owned.metadata?.uid).toBe(before?.metadata?.uid);
  });

  it('keeps its claims, or drops them with the pods or with itself, as asked', async () => {
    const claims = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } }];
    const policy = { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' } } as object;
    await create('keeps', { replicas: 2, volumeClaimTemplates: claims });
    await create('drops', { replicas: 2, volumeClaimTemplates: claims, ...policy });
    await Promise.all([shows('keeps', 'one one'), shows('drops', 'one one')]);
    const names = async () =>
      (await cluster.kube.list(persistentVolumeClaims, { namespace })).items.map(({ metadata }) => metadata!.name).sort();
    expect(await names()).toEqual(['data-drops-0', 'data-drops-1', 'data-keeps-0', 'data-keeps-1']);
    await Promise.all([change('keeps', { replicas: 1 }), change('drops', { replicas: 1 })]);
    await until('the claim of the gone pod is gone', async () => (await names()).join() === 'data-drops-0,data-keeps-0,data-keeps-1');
    for (const name of ['keeps', 'drops']) await cluster.kube.delete(statefulSets, name, { namespace });
    await until('only kept claims are left', async () => (await names()).join() === 'data-keeps-0,data-keeps-1');
    const volumes = await until('their volumes too', async () => {
      const { items } = await cluster.kube.list(persistentVolumes);
      return items.length === 2 && items;
    });
    const folders = join(cluster.folder, 'data', 'volumes');
    expect((await readdir(folders)).sort()).toEqual(volumes.map(({ metadata }) => metadata!.name).sort());
    expect((await stat(join(folders, volumes[0]!.metadata!.name!))).mode & 0o077).toBe(0);
  });

  it('leaves alone claims that were kept before it was to drop them, and drops none once it is to keep them', async () => {
    const claims = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } }];
    const policy = (whenScaled: string, whenDeleted: string) => ({ persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled } });
    const names = async (app: string) =>
      (await cluster.kube.list(persistentVolumeClaims, { namespace, labelSelector: `app=${app}` })).items
        .filter(({ metadata }) => !metadata!.deletionTimestamp)
        .map(({ metadata }) => metadata!.name)
        .sort()
        .join();
    const ownersOf = async (name: string) =>
      (await cluster.kube.get(persistentVolumeClaims, name, { namespace })).metadata!.ownerReferences?.map(({ kind }) => kind) ?? [];
    for (const app of ['late', 'changes'])
      await create(app, { replicas: 3, podManagementPolicy: 'Parallel', volumeClaimTemplates: claims });
    await Promise.all([shows('late', 'one one one'), shows('changes', 'one one one')]);

    await change('late', { replicas: 2 });
    await shows('late', 'one one');
    await change('late', policy('Delete', 'Delete'));
    await until('claims of its pods are its own', async () => (await ownersOf('data-late-1')).join() === 'StatefulSet');
    await change('late', { replicas: 1 });
    await until('the claim of the gone pod is gone', async () => (await names('late')) === 'data-late-0,data-late-2');
    await cluster.kube.delete(statefulSets, 'late', { namespace });
    await until('the claim of its pod is gone', async () => (await names('late')) === 'data-late-2');
    expect(await ownersOf('data-late-2')).toEqual([]);

    await change('changes', policy('Retain', 'Delete'));
    await until('claims are its own', async () =>
      (await Promise.all([0, 1, 2].map((at) => ownersOf(`data-changes-${at}`)))).every((owners) => owners.join() === 'StatefulSet'),
    );
    await change('changes', policy('Retain', 'Retain'));
    await until('claims have no owner', async () =>
      (await Promise.all([0, 1, 2].map((at) => ownersOf(`data-changes-${at}`)))).every((owners) => owners.length === 0),
    );
    await cluster.kube.delete(statefulSets, 'changes', { namespace });
    await until('its pods are gone', async () => (await podsOf('changes')).length === 0);
    expect(await names('changes')).toBe('data-changes-0,data-changes-1,data-changes-2');
  });

  it('gives a pod that comes back at once a claim of its own, where the former one goes', async () => {
    const claims = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } }];
    const policy = { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Delete' } } as object;
    await create('back', { replicas: 2, volumeClaimTemplates: claims, ...policy });
    await shows('back', 'one one');
    const claimOf = () => cluster.kube.find(persistentVolumeClaims, 'data-back-1', { namespace });
    const before = (await claimOf())!.metadata!.uid;
    await change('back', { replicas: 1 });
    await until('its pod is gone', async () => (await podsOf('back')).length === 1);
    await change('back', { replicas: 2 });
    await shows('back', 'one one');
    const after = (await claimOf())!.metadata!;
    expect(after.uid).not.toBe(before);
    expect(after.deletionTimestamp).toBeUndefined();
    await cluster.kube.delete(statefulSets, 'back', { namespace });
  });

  it('waits for minReadySeconds before the next pod', async () => {
    await create('slow', { replicas: 2, minReadySeconds: 2 } as Partial<StatefulSetSpec>);
    const [first] = await until('the second comes', async () => {
      const found = await podsOf('slow');
      return found.length === 2 && found;
    });
    const readySince = first!.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
    expect(Date.now() - Date.parse(readySince!)).toBeGreaterThanOrEqual(2000);
    await until('both are available', async () => ((await get('slow')).status as { availableReplicas?: number }).availableReplicas === 2);
  });
});

describe('a Deployment', () => {
  const create = (name: string, spec: object = {}, strategy?: DeploymentStrategy) =>
    cluster.kube.create(deployments, {
      metadata: { name, namespace },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: name } },
        template: template(name, 'one'),
        ...(strategy ? { strategy } : {}),
        ...spec,
      },
    });
  const get = (name: string) => cluster.kube.get(deployments, name, { namespace });
  const change = (name: string, spec: object) => cluster.kube.patch(deployments, name, { spec }, { namespace }) as Promise<Deployment>;
  const condition = async (name: string, type: string) => (await get(name)).status?.conditions?.find((other) => other.type === type);
  const complete = (name: string) =>
    until(`${name} is complete`, async () => (await condition(name, 'Progressing'))?.reason === 'NewReplicaSetAvailable');

  it('that recreates has no new pod before the last old one has ended', async () => {
    await create('recreated', { replicas: 2 }, { type: 'Recreate' });
    await shows('recreated', 'one one');
    const old = (await podsOf('recreated')).map(pidOf);
    await change('recreated', { template: template('recreated', 'two') });
    await until('a new pod comes', async () => (await podsOf('recreated')).some((pod) => versionOf(pod) === 'two'));
    expect(old.filter(isAlive)).toEqual([]);
    await shows('recreated', 'two two');
    await complete('recreated');
  });

  it('that is paused scales and does not roll', async () => {
    await create('paused', { replicas: 1 });
    await complete('paused');
    await change('paused', { paused: true, replicas: 2, template: template('paused', 'two') });
    await shows('paused', 'one one');
    await until('it says that it is paused', async () => {
      const found = await condition('paused', 'Progressing');
      return found?.status === 'Unknown' && found.reason === 'DeploymentPaused';
    });
    await change('paused', { paused: false });
    await shows('paused', 'two two');
  });

  it('says when it makes no progress, keeps serving, and can go back', async () => {
    await create('returns', { replicas: 1, progressDeadlineSeconds: 1, revisionHistoryLimit: 1 });
    await complete('returns');
    await change('returns', { template: template('returns', 'broken', noProgram) });
    await until('the deadline has passed', async () => (await condition('returns', 'Progressing'))?.reason === 'ProgressDeadlineExceeded');
    expect(await condition('returns', 'Available')).toMatchObject({ status: 'True' });
    await change('returns', { template: template('returns', 'one') });
    await shows('returns', 'one');
    await complete('returns');
    expect((await get('returns')).metadata?.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
    expect((await cluster.kube.list(replicaSets, { namespace, labelSelector: 'app=returns' })).items).toHaveLength(2);
  });
});

describe('endpoints', () => {
  it('hold pods that are not ready only where the service wants them', async () => {
    for (const [name, publishNotReadyAddresses] of [
      ['strict', false],
      ['headless', true],
    ] as const) {
      await cluster.kube.create(services, {
        metadata: { name, namespace },
        spec: { clusterIP: 'None', publishNotReadyAddresses, selector: { app: 'unready' }, ports: [{ port: 80 }] },
      });
    }
    await cluster.kube.create(pods, {
      metadata: { name: 'unready', namespace, labels: { app: 'unready' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          { name: 'main', image: anyProgram, command: ['node', '-e', idle], readinessProbe: { exec: { command: ['/bin/false'] } } },
        ],
      },
    });
    const subset = (name: string) =>
      until(`${name} has an endpoint`, async () => (await cluster.kube.find(endpoints, name, { namespace }))?.subsets?.[0]);
    expect(await subset('strict')).toMatchObject({ notReadyAddresses: [{ targetRef: { name: 'unready' } }] });
    expect(await subset('headless')).toMatchObject({ addresses: [{ targetRef: { name: 'unready' } }] });
    await cluster.kube.delete(pods, 'unready', { namespace });
    await until('they are empty', async () => !(await cluster.kube.get(endpoints, 'headless', { namespace })).subsets?.length);
  });
});
