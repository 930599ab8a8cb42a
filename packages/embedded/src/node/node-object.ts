import { cpus, release, totalmem } from 'node:os';
import { nodes } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import type { Node } from 'kubernetes-types/core/v1.d.ts';

export const nodeName = 'kip';

/** Tells the API of this machine. There is one node, in the server's own process: nobody needs a heartbeat of it. */
export async function registerNode(client: KubeClient): Promise<void> {
  const amounts = { cpu: String(cpus().length), memory: `${Math.floor(totalmem() / 1024)}Ki`, pods: '250' };
  const now = new Date().toISOString();
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const node: Node = {
    metadata: {
      name: nodeName,
      labels: { 'kubernetes.io/hostname': nodeName, 'kubernetes.io/os': process.platform, 'kubernetes.io/arch': architecture },
    },
    status: {
      capacity: amounts,
      allocatable: amounts,
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'NodeReady',
          message: 'pods run as processes',
          lastHeartbeatTime: now,
          lastTransitionTime: now,
        },
      ],
      addresses: [
        { type: 'InternalIP', address: '127.0.0.1' },
        { type: 'Hostname', address: nodeName },
      ],
      nodeInfo: {
        architecture,
        operatingSystem: process.platform,
        containerRuntimeVersion: `process://${process.version}`,
        kubeletVersion: 'v1.32.0',
        kubeProxyVersion: 'none',
        bootID: 'none',
        kernelVersion: release(),
        machineID: 'none',
        osImage: process.platform,
        systemUUID: 'none',
      },
    },
  };
  await client.create(nodes, { ...node, status: undefined }).catch((error: unknown) => {
    if (!hasReason(error, 'AlreadyExists')) throw error;
  });
  await client.patch(nodes, nodeName, { status: node.status }, { subresource: 'status' });
}
