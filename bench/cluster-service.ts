import { randomBytes } from 'node:crypto';
import {
  childNames,
  namespaces,
  networkPolicies,
  persistentVolumeClaims,
  secrets,
  services,
  statefulSets,
  statefulServices,
  type KubeObject,
  type ResourceType,
} from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import { compared, type Measurement } from './measurement.ts';
import { withOperator } from './operated.ts';
import { kip, kubectl, run } from './programs.ts';
import { median, timed } from './sampling.ts';

const rounds = 5;

/**
 * On the cluster of `kubeconfig`: `kip service add postgres` until it is Ready, beside `kubectl apply` of the very same objects until
 * their rollout is done. Runs an operator for the time.
 */
export async function benchClusterService(kubeconfig: string, home: string): Promise<Measurement[]> {
  return withOperator(kubeconfig, (client) => measure(client, kubeconfig, home));
}

async function measure(client: KubeClient, kubeconfig: string, home: string): Promise<Measurement[]> {
  const env = { KUBECONFIG: kubeconfig, KIP_HOME: home };
  const project = `bench-${randomBytes(4).toString('hex')}`;
  const plainNamespace = `${project}-plain`;
  const ours: number[] = [];
  const plain: number[] = [];
  try {
    await client.create(namespaces, { metadata: { name: plainNamespace } });
    for (let round = 0; round <= rounds; round++) {
      const name = `db-${round}`;
      const add = await timed(() => kip(['service', 'add', 'postgres', '--name', name, '--project', project], env));
      const manifests = await manifestsOf(client, project, name, plainNamespace);
      await kip(['service', 'delete', name, '--delete-data', '--project', project], env);
      const applied = await timed(async () => {
        await run(kubectl, ['--kubeconfig', kubeconfig, 'apply', '-f', '-'], { input: manifests });
        await run(kubectl, [
          '--kubeconfig',
          kubeconfig,
          'rollout',
          'status',
          '--namespace',
          plainNamespace,
          `statefulset/${name}`,
          '--timeout=120s',
        ]);
      });
      await run(kubectl, ['--kubeconfig', kubeconfig, 'delete', '--namespace', plainNamespace, 'statefulset,pvc', '--all']);
      // The first round warms up: the image is read from the disk.
      if (round === 0) continue;
      ours.push(add);
      plain.push(applied);
    }
    return [
      compared(
        'cluster: service add postgres until Ready',
        median(ours),
        'ms',
        { name: 'kubectl apply of the same objects', value: median(plain) },
        '≤ 1.2',
      ),
    ];
  } finally {
    for (const { metadata } of (await client.list(statefulServices, { namespace: project })).items) {
      await kip(['service', 'delete', metadata!.name!, '--delete-data', '--project', project], env).catch(() => {});
    }
    for (const namespace of [project, plainNamespace]) await client.delete(namespaces, namespace).catch(() => {});
  }
}

/** What the operator made for a service, as somebody would have written it by hand. */
async function manifestsOf(client: KubeClient, namespace: string, service: string, target: string): Promise<string> {
  const read = async (type: ResourceType<KubeObject>, name: string): Promise<object | undefined> => {
    const found = (await client.find(type, name, { namespace })) as
      | (KubeObject & { status?: unknown; spec?: { volumeName?: string } })
      | undefined;
    if (!found) return undefined;
    const { status, ...object } = found;
    // Which volume a claim got is the cluster's doing.
    const { volumeName, ...spec } = found.spec ?? {};
    return { ...object, metadata: { name, namespace: target, labels: found.metadata?.labels }, ...(found.spec ? { spec } : {}) };
  };
  const items = await Promise.all([
    read(secrets, childNames.credentials(service)),
    read(persistentVolumeClaims, childNames.claim(service)),
    read(services, childNames.headlessService(service)),
    read(networkPolicies, childNames.networkPolicy(service)),
    read(statefulSets, childNames.statefulSet(service)),
  ]);
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: items.filter(Boolean) });
}
