import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from './kubeconfig.ts';

const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The cluster that this process runs in as a pod, by its service account; `undefined` outside of one. The token is read
 * anew from its file, for the kubelet replaces it. https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 * @param folder where the service account is mounted
 */
export function inClusterConfig(env: NodeJS.ProcessEnv = process.env, folder = serviceAccountFolder): Cluster | undefined {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  const tokenFile = join(folder, 'token');
  if (!host || !port || !existsSync(tokenFile)) return undefined;
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const namespaceFile = join(folder, 'namespace');
  const namespace = existsSync(namespaceFile) ? readFileSync(namespaceFile, 'utf8').trim() : '';
  return {
    context: 'in-cluster',
    server,
    namespace: namespace || 'default',
    settings: { server, 'certificate-authority': join(folder, 'ca.crt') },
    user: { tokenFile },
  };
}
