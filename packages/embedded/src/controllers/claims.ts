import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseQuantity, persistentVolumeClaims, pods, storageClasses } from '@skipper/api';
import { createInformer, hasReason, type Informer, type KubeClient } from '@skipper/kube';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import { createEventRecorder } from '../event-recorder.ts';
import { persistentVolumes } from '../kinds.ts';
import { referenceTo } from './owned.ts';
import { isFinished } from './pods.ts';
import { createWorkQueue, type WorkQueue } from '../work-queue.ts';

const provisioner = 'skipper.dev/folder';
const protection = 'kubernetes.io/pvc-protection';

/** Makes a folder for each claim, keeps it while the claim or a pod wants it, and removes it afterwards. */
export function startClaimController(client: KubeClient, podInformer: Informer<Pod>, volumesFolder: string, log: Log): WorkQueue {
  const claims = createInformer(client, persistentVolumeClaims, { log });
  const volumes = createInformer(client, persistentVolumes, { log });
  const recorder = createEventRecorder(client, provisioner, log);
  const queue = createWorkQueue(reconcile, (key, error) => {
    if (!hasReason(error, 'Conflict')) log(`claim ${key}: ${error.message}`);
  });
  claims.subscribe(({ object }) => queue.add(`claim ${object.metadata!.namespace}/${object.metadata!.name}`));
  volumes.subscribe(({ type, object }) => {
    if (type !== 'DELETED') queue.add(`volume ${object.metadata!.name}`);
  });
  podInformer.subscribe(({ type, object }) => {
    if (type !== 'DELETED' && !isFinished(object)) return;
    for (const volume of object.spec?.volumes ?? []) {
      if (volume.persistentVolumeClaim) queue.add(`claim ${object.metadata!.namespace}/${volume.persistentVolumeClaim.claimName}`);
    }
  });

  async function reconcile(key: string): Promise<void> {
    await Promise.all([claims.synced(), volumes.synced(), podInformer.synced()]);
    const [what, name = ''] = key.split(' ');
    if (what === 'volume') {
      const volume = volumes.get(name);
      if (volume) await reclaim(volume);
      return;
    }
    const [namespace, claimName] = name.split('/') as [string, string];
    const claim = claims.get(claimName, namespace);
    if (!claim) {
      for (const volume of volumes.list())
        if (volume.spec?.claimRef?.namespace === namespace && volume.spec.claimRef.name === claimName) await reclaim(volume);
      return;
    }
    if (claim.metadata!.deletionTimestamp) return release(claim);
    if (claim.status?.phase !== 'Bound') {
      try {
        return await bind(claim);
      } catch (error) {
        recorder.record(
          referenceTo(claim, persistentVolumeClaims),
          'Warning',
          'ProvisioningFailed',
          `failed to provision volume: ${(error as Error).message}`,
        );
        throw error;
      }
    }
    await grow(claim);
  }

  /** Lets a deleted claim go once no pod uses it. */
  async function release(claim: PersistentVolumeClaim): Promise<void> {
    const { name, namespace, finalizers = [], resourceVersion } = claim.metadata!;
    // Asked of the server, not of memory: a pod may have come meanwhile.
    const { items } = await client.list(pods, { namespace: namespace! });
    const used = items.some(
      (pod) => !isFinished(pod) && pod.spec?.volumes?.some((volume) => volume.persistentVolumeClaim?.claimName === name),
    );
    if (used || !finalizers.includes(protection)) return;
    await client.patch(
      persistentVolumeClaims,
      name!,
      { metadata: { resourceVersion, finalizers: finalizers.filter((other) => other !== protection) } },
      { namespace: namespace! },
    );
  }

  async function bind(claim: PersistentVolumeClaim): Promise<void> {
    const { name, namespace, uid } = claim.metadata!;
    const wanted = claim.spec?.storageClassName;
    const storageClass = wanted ? await client.find(storageClasses, wanted) : undefined;
    // Somebody else's, or none: bound by hand.
    if (storageClass?.provisioner !== provisioner) return;
    const volumeName = `pvc-${uid}`;
    const path = join(volumesFolder, volumeName);
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(volumesFolder, 0o711);
    const capacity = { storage: String(claim.spec?.resources?.requests?.['storage'] ?? '0') };
    const accessModes = claim.spec?.accessModes;
    const volume: PersistentVolume = {
      metadata: { name: volumeName, annotations: { 'pv.kubernetes.io/provisioned-by': provisioner } },
      spec: {
        capacity,
        accessModes,
        storageClassName: wanted!,
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
        volumeMode: 'Filesystem',
        hostPath: { path, type: '' },
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
      },
    };
    await client.create(persistentVolumes, volume).catch((error: unknown) => {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    });
    await client.patch(persistentVolumes, volumeName, { status: { phase: 'Bound' } }, { subresource: 'status' });
    await client.patch(persistentVolumeClaims, name!, { spec: { volumeName } }, { namespace: namespace! });
    await client.patch(
      persistentVolumeClaims,
      name!,
      { status: { phase: 'Bound', accessModes, capacity } },
      { namespace: namespace!, subresource: 'status' },
    );
    recorder.record(
      referenceTo(claim, persistentVolumeClaims),
      'Normal',
      'ProvisioningSucceeded',
      `Successfully provisioned volume ${volumeName}`,
    );
  }

  /** A folder has no size of its own: a larger claim only says more. */
  async function grow(claim: PersistentVolumeClaim): Promise<void> {
    const { name, namespace } = claim.metadata!;
    const wanted = claim.spec?.resources?.requests?.['storage'];
    const has = claim.status?.capacity?.['storage'];
    if (!wanted || (has && parseQuantity(String(wanted)) === parseQuantity(String(has)))) return;
    const capacity = { storage: wanted };
    if (claim.spec?.volumeName) await client.patch(persistentVolumes, claim.spec.volumeName, { spec: { capacity } });
    await client.patch(persistentVolumeClaims, name!, { status: { capacity } }, { namespace: namespace!, subresource: 'status' });
  }

  /** A volume whose claim is gone goes with its folder, unless it is to be kept. */
  async function reclaim(volume: PersistentVolume): Promise<void> {
    const { claimRef, persistentVolumeReclaimPolicy, hostPath } = volume.spec ?? {};
    if (!claimRef?.name || volume.metadata?.annotations?.['pv.kubernetes.io/provisioned-by'] !== provisioner) return;
    const claim = await client.find(persistentVolumeClaims, claimRef.name, { namespace: claimRef.namespace! });
    if (claim && claim.metadata!.uid === claimRef.uid) return;
    if (persistentVolumeReclaimPolicy !== 'Delete') {
      if (volume.status?.phase !== 'Released')
        await client.patch(persistentVolumes, volume.metadata!.name!, { status: { phase: 'Released' } }, { subresource: 'status' });
      return;
    }
    // Only ever a folder that was made here.
    if (hostPath?.path === join(volumesFolder, volume.metadata!.name!)) await rm(hostPath.path, { recursive: true, force: true });
    await client.delete(persistentVolumes, volume.metadata!.name!, { uid: volume.metadata!.uid! });
  }

  return {
    ...queue,
    async close() {
      claims.close();
      volumes.close();
      await queue.close();
    },
  };
}
