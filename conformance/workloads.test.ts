import { nodes, persistentVolumeClaims, pods, services, statefulSets, storageClasses } from '@skipper/api';
import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { createNamespace, gone, kube, readyPod } from './support/cluster.ts';
import { deployments, endpoints, persistentVolumes, replicaSets } from './support/kinds.ts';
import { isReady, podSpec, scripts } from './support/pods.ts';
import { failureOf, until } from './support/until.ts';

const namespace = await createNamespace('workloads');
const inNamespace = { namespace };

const podsOf = async (app: string) =>
  (await kube.list(pods, { namespace, labelSelector: `app=${app}` })).items.filter(({ metadata }) => !metadata?.deletionTimestamp);

/** Keeps a file in its volume, and says how often it was begun there. */
const keeper = (mountPath: string) => `
  const { appendFileSync, readFileSync } = require('node:fs');
  const file = ${JSON.stringify(mountPath)} + '/starts';
  process.on('SIGTERM', () => process.exit(0));
  try { appendFileSync(file, 'x'); console.log('starts: ' + readFileSync(file, 'utf8').length); } catch (error) { console.log(error.message); }
  setInterval(() => {}, 1000);`;

function statefulSet(name: string, replicas: number, withClaim = false): StatefulSet {
  return {
    metadata: { namespace, name },
    spec: {
      replicas,
      serviceName: name,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: podSpec(
          scripts.idle,
          withClaim
            ? { container: { command: ['node', '-e', keeper('/data')], volumeMounts: [{ name: 'data', mountPath: '/data' }] } }
            : {},
        ),
      },
      ...(withClaim
        ? {
            volumeClaimTemplates: [
              {
                metadata: { name: 'data', labels: { from: 'template' } },
                spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
              },
            ],
          }
        : {}),
    },
  };
}

describe.concurrent('a stateful set', () => {
  it('makes pods with claims, in order, and keeps the claims when it shrinks', async () => {
    await kube.create(services, {
      metadata: { namespace, name: 'ordered' },
      spec: { clusterIP: 'None', selector: { app: 'ordered' }, ports: [{ port: 80 }] },
    });
    await kube.create(statefulSets, statefulSet('ordered', 2, true));
    await until('it is ready', async () => (await kube.get(statefulSets, 'ordered', inNamespace)).status?.readyReplicas === 2);
    const [first, second] = [await kube.get(pods, 'ordered-0', inNamespace), await kube.get(pods, 'ordered-1', inNamespace)];
    expect(first).toMatchObject({
      metadata: {
        labels: {
          app: 'ordered',
          'statefulset.kubernetes.io/pod-name': 'ordered-0',
          'controller-revision-hash': expect.stringMatching(/^ordered-/),
        },
        ownerReferences: [{ kind: 'StatefulSet', name: 'ordered', controller: true, blockOwnerDeletion: true }],
      },
      spec: {
        hostname: 'ordered-0',
        subdomain: 'ordered',
        volumes: expect.arrayContaining([{ name: 'data', persistentVolumeClaim: { claimName: 'data-ordered-0' } }]),
      },
    });
    const readyAt = (pod: typeof first) => Date.parse(pod.status!.conditions!.find(({ type }) => type === 'Ready')!.lastTransitionTime!);
    expect(Date.parse(second.metadata!.creationTimestamp!)).toBeGreaterThanOrEqual(readyAt(first) - 1_000);
    const claim = await kube.get(persistentVolumeClaims, 'data-ordered-0', inNamespace);
    expect(claim).toMatchObject({
      metadata: { labels: { app: 'ordered', from: 'template' } },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: expect.any(String), volumeName: expect.any(String) },
      status: { phase: 'Bound', capacity: { storage: expect.any(String) }, accessModes: ['ReadWriteOnce'] },
    });
    expect(claim.metadata?.ownerReferences ?? []).toEqual([]);
    const { status } = await kube.get(statefulSets, 'ordered', inNamespace);
    expect(status).toMatchObject({
      observedGeneration: 1,
      replicas: 2,
      readyReplicas: 2,
      currentReplicas: 2,
      updatedReplicas: 2,
      currentRevision: expect.stringMatching(/^ordered-/),
      collisionCount: 0,
    });
    expect(status?.updateRevision).toBe(status?.currentRevision);

    await kube.patch(statefulSets, 'ordered', { spec: { replicas: 1 } }, inNamespace);
    await gone(pods, 'ordered-1', namespace);
    expect(await kube.find(persistentVolumeClaims, 'data-ordered-1', inNamespace)).toBeDefined();
    expect((await kube.get(pods, 'ordered-0', inNamespace)).metadata?.uid).toBe(first.metadata?.uid);

    await kube.delete(statefulSets, 'ordered', { namespace, propagation: 'Background' });
    await gone(pods, 'ordered-0', namespace);
    expect(await kube.find(persistentVolumeClaims, 'data-ordered-0', inNamespace)).toBeDefined();
  });

  it('makes a deleted pod again, with its name', async () => {
    await kube.create(statefulSets, statefulSet('again', 1));
    const first = await until('its pod is ready', async () => {
      const pod = await kube.find(pods, 'again-0', inNamespace);
      return isReady(pod) && pod;
    });
    await kube.delete(pods, 'again-0', inNamespace);
    const second = await until('there is another', async () => {
      const pod = await kube.find(pods, 'again-0', inNamespace);
      return pod?.metadata?.uid !== first.metadata?.uid && isReady(pod) && pod;
    });
    expect(second.metadata?.labels?.['controller-revision-hash']).toBe(first.metadata?.labels?.['controller-revision-hash']);
    await kube.delete(statefulSets, 'again', { namespace, propagation: 'Background' });
  });

  it('replaces its pods one after another, last first, when the template changes', async () => {
    await kube.create(statefulSets, statefulSet('rolling', 2));
    await until('it is ready', async () => (await kube.get(statefulSets, 'rolling', inNamespace)).status?.readyReplicas === 2);
    const before = (await kube.get(statefulSets, 'rolling', inNamespace)).status?.updateRevision;
    const { resourceVersion } = await kube.list(pods, inNamespace);
    const comingAndGoing = async () => {
      const order: string[] = [];
      for await (const { type, object } of kube.watch(pods, {
        namespace,
        resourceVersion,
        labelSelector: 'app=rolling',
        timeoutSeconds: 600,
      })) {
        if (type === 'ADDED' || type === 'DELETED') order.push(`${type} ${object.metadata?.name}`);
        if (order.length === 4) break;
      }
      return order;
    };
    // From before the change on: once it has rolled, the server may have forgotten the version.
    const order = comingAndGoing();
    await kube.patch(statefulSets, 'rolling', { spec: { template: { metadata: { annotations: { round: '2' } } } } }, inNamespace);
    const rolled = await until(
      'it has rolled',
      async () => {
        const { status } = await kube.get(statefulSets, 'rolling', inNamespace);
        return (
          status?.observedGeneration === 2 &&
          status.updatedReplicas === 2 &&
          status.readyReplicas === 2 &&
          status.currentRevision === status.updateRevision &&
          status
        );
      },
      400_000,
    );
    expect(rolled.updateRevision).not.toBe(before);
    expect(await order).toEqual(['DELETED rolling-1', 'ADDED rolling-1', 'DELETED rolling-0', 'ADDED rolling-0']);
    for (const pod of await podsOf('rolling')) expect(pod.metadata?.annotations?.['round']).toBe('2');
    await kube.delete(statefulSets, 'rolling', { namespace, propagation: 'Foreground' });
    await gone(statefulSets, 'rolling', namespace);
    expect(await podsOf('rolling')).toEqual([]);
  }, 900_000);
});

describe.concurrent('a deployment', () => {
  it('rolls to a new template and is never without a ready pod', async () => {
    await kube.create(deployments, {
      metadata: { namespace, name: 'rollout' },
      spec: {
        replicas: 2,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } },
        selector: { matchLabels: { app: 'rollout' } },
        template: { metadata: { labels: { app: 'rollout' } }, spec: podSpec(scripts.idle) },
      },
    });
    const available = await until('it is available', async () => {
      const { status } = await kube.get(deployments, 'rollout', inNamespace);
      return status?.availableReplicas === 2 && status;
    });
    expect(available).toMatchObject({ observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2 });
    expect(available.conditions?.map(({ type, status }) => `${type} ${status}`).sort()).toEqual(['Available True', 'Progressing True']);
    const [set] = (await kube.list(replicaSets, { namespace, labelSelector: 'app=rollout' })).items;
    expect(set?.metadata?.name).toBe(`rollout-${set?.metadata?.labels?.['pod-template-hash']}`);
    let fewest = Number.POSITIVE_INFINITY;
    await kube.patch(deployments, 'rollout', { spec: { template: { metadata: { annotations: { round: '2' } } } } }, inNamespace);
    await until('it has rolled', async () => {
      const { status } = await kube.get(deployments, 'rollout', inNamespace);
      fewest = Math.min(fewest, (await podsOf('rollout')).filter(isReady).length);
      return status?.observedGeneration === 2 && status.updatedReplicas === 2 && status.availableReplicas === 2 && status.replicas === 2;
    });
    expect(fewest).toBeGreaterThanOrEqual(1);
    const current = await until('the pods of before are gone', async () => {
      const items = await podsOf('rollout');
      return items.every(({ metadata }) => metadata?.annotations?.['round'] === '2') && items;
    });
    expect(current).toHaveLength(2);
    expect(
      (await kube.list(replicaSets, { namespace, labelSelector: 'app=rollout' })).items.map(({ spec }) => spec?.replicas).sort(),
    ).toEqual([0, 2]);
    await kube.patch(deployments, 'rollout', { spec: { replicas: 1 } }, { namespace, subresource: 'scale' });
    await until('it has shrunk', async () => (await podsOf('rollout')).length === 1);
    await kube.delete(deployments, 'rollout', { namespace, propagation: 'Background' });
    await until('its pods are gone', async () => (await kube.list(pods, { namespace, labelSelector: 'app=rollout' })).items.length === 0);
  });
});

describe.concurrent('endpoints', () => {
  it('are the addresses of the ready pods that a service selects', async () => {
    await kube.create(services, {
      metadata: { namespace, name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'named' }] },
    });
    await kube.create(deployments, {
      metadata: { namespace, name: 'web' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: podSpec(scripts.echo, {
            container: {
              ports: [{ name: 'named', containerPort: 8080 }],
              readinessProbe: { tcpSocket: { port: 'named' }, periodSeconds: 1 },
            },
          }),
        },
      },
    });
    const [pod] = await until('the pod is ready', async () => {
      const items = await podsOf('web');
      return items.length === 1 && isReady(items[0]) && items;
    });
    const found = await until('there is an address', async () => {
      const seen = await kube.find(endpoints, 'web', inNamespace);
      return seen?.subsets?.[0]?.addresses && seen;
    });
    expect(found.subsets).toMatchObject([
      {
        addresses: [{ ip: pod?.status?.podIP, targetRef: { kind: 'Pod', namespace, name: pod?.metadata?.name, uid: pod?.metadata?.uid } }],
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
    ]);
    await kube.delete(deployments, 'web', { namespace, propagation: 'Background' });
    await until(
      'there is no address',
      async () => !(await kube.find(endpoints, 'web', inNamespace))?.subsets?.some(({ addresses }) => addresses?.length),
    );
    await kube.delete(services, 'web', inNamespace);
    await gone(endpoints, 'web', namespace);
  });
});

describe.concurrent('a claim', () => {
  const claim = (name: string, storage: string) =>
    kube.create(persistentVolumeClaims, {
      metadata: { namespace, name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    });
  const podWith = (name: string, claimName: string) =>
    kube.create(pods, {
      metadata: { namespace, name, labels: { app: name } },
      spec: podSpec(scripts.idle, {
        container: { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
        spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] },
      }),
    });

  it('is bound to a volume of the default class, and is not removed under a pod', async () => {
    await claim('bound', '64Mi');
    await podWith('uses', 'bound');
    await readyPod(namespace, 'uses');
    const bound = await kube.get(persistentVolumeClaims, 'bound', inNamespace);
    expect(bound).toMatchObject({ metadata: { finalizers: ['kubernetes.io/pvc-protection'] }, status: { phase: 'Bound' } });
    const volume = await kube.get(persistentVolumes, bound.spec!.volumeName!);
    expect(volume).toMatchObject({
      spec: {
        claimRef: { namespace, name: 'bound', uid: bound.metadata?.uid },
        storageClassName: bound.spec?.storageClassName,
        persistentVolumeReclaimPolicy: 'Delete',
        accessModes: ['ReadWriteOnce'],
      },
      status: { phase: 'Bound' },
    });
    await kube.delete(persistentVolumeClaims, 'bound', inNamespace);
    expect((await kube.get(persistentVolumeClaims, 'bound', inNamespace)).metadata?.deletionTimestamp).toBeTruthy();
    await kube.delete(pods, 'uses', inNamespace);
    await gone(persistentVolumeClaims, 'bound', namespace);
    await gone(persistentVolumes, volume.metadata!.name!);
  });

  it('grows where its class allows it, and never shrinks', async () => {
    await claim('growing', '64Mi');
    await podWith('grows', 'growing');
    await readyPod(namespace, 'grows');
    const className = (await kube.get(persistentVolumeClaims, 'growing', inNamespace)).spec?.storageClassName;
    const { allowVolumeExpansion } = await kube.get(storageClasses, className!);
    const resize = (storage: string) =>
      kube.patch(persistentVolumeClaims, 'growing', { spec: { resources: { requests: { storage } } } }, inNamespace);
    if (allowVolumeExpansion) {
      await resize('128Mi');
      await until(
        'it has grown',
        async () => (await kube.get(persistentVolumeClaims, 'growing', inNamespace)).status?.capacity?.['storage'] === '128Mi',
      );
    } else {
      expect(await failureOf(resize('128Mi'))).toMatchObject({
        code: 403,
        reason: 'Forbidden',
        message: expect.stringContaining(
          'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
        ),
      });
    }
    expect(await failureOf(resize('1Mi'))).toMatchObject({ code: 422, reason: 'Invalid' });
    await kube.delete(pods, 'grows', inNamespace);
    await kube.delete(persistentVolumeClaims, 'growing', inNamespace);
  });

  it('of no class that exists stays pending', async () => {
    await kube.create(persistentVolumeClaims, {
      metadata: { namespace, name: 'classless' },
      spec: { storageClassName: 'there-is-no-such-class', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    });
    expect((await kube.get(persistentVolumeClaims, 'classless', inNamespace)).status?.phase).toBe('Pending');
    await podWith('classless', 'classless');
    await until('its pod says so', async () => (await kube.get(pods, 'classless', inNamespace)).status?.phase === 'Pending');
    expect((await kube.get(persistentVolumeClaims, 'classless', inNamespace)).status?.phase).toBe('Pending');
    await kube.delete(pods, 'classless', { namespace, gracePeriodSeconds: 0 });
  });
});

describe.concurrent('a node', () => {
  it('is ready', async () => {
    const { items } = await kube.list(nodes);
    expect(items.some(({ status }) => status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))).toBe(true);
    for (const { status } of items)
      expect(status).toMatchObject({
        capacity: { cpu: expect.any(String), memory: expect.any(String), pods: expect.any(String) },
        nodeInfo: { kubeletVersion: expect.stringMatching(/^v1\./) },
      });
  });
});
