import { randomBytes } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { readFile } from 'node:fs/promises';
import { namespaces, pods, type KubeObject, type ResourceType } from '@skipper/api';
import { createClient, loadKubeconfig, resolveCluster, type Cluster, type KubeClient } from '@skipper/kube';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Status } from 'kubernetes-types/meta/v1.d.ts';
import { afterAll, inject } from 'vitest';
import { serviceAccounts } from './kinds.ts';
import { isReady } from './pods.ts';
import { until } from './until.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The kubeconfig of the cluster under test. */
    kubeconfig: string;
  }
}

export const kubeconfigPath = inject('kubeconfig');
export const cluster: Cluster = resolveCluster(await loadKubeconfig({ files: [kubeconfigPath] }));
/** One client a test file. */
export const kube: KubeClient = createClient(cluster);
afterAll(() => kube.close());

const version = JSON.parse((await kube.raw('GET', '/version')).body) as { minor: string };
/** The `37` of Kubernetes 1.37. */
export const minorVersion = Number.parseInt(version.minor, 10);

/** A name that no other run uses. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}

/** A namespace of this test file's own, ready for pods, deleted afterwards. */
export async function createNamespace(prefix: string): Promise<string> {
  const name = uniqueName(`conformance-${prefix}`);
  await kube.create(namespaces, { metadata: { name } });
  afterAll(async () => {
    await kube.delete(namespaces, name);
  });
  await until('pods may be created', () => kube.find(serviceAccounts, 'default', { namespace: name }));
  return name;
}

export interface Answer<T = KubeObject> {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: T;
  text: string;
}

/** A request as it goes over the wire; `body` is sent as it is when it is text. */
export async function ask<T = Status>(
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer<T>> {
  const headers = { ...(options.body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers };
  const { status, headers: received, body: text } = await kube.raw(method, path, { ...options, headers });
  return { status, headers: received, text, body: parsed(text) as T };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A request with other credentials than the kubeconfig's, or none. */
export async function askAs(token: string | undefined, path: string): Promise<Answer<Status>> {
  const { settings } = cluster;
  const data = settings['certificate-authority-data'];
  const file = settings['certificate-authority'];
  const ca = data ? Buffer.from(data, 'base64') : file ? await readFile(file) : undefined;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      new URL(path, cluster.server),
      { ca, agent: false, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parsed(text) as Status });
        });
      },
    );
    request.on('error', reject);
    request.end();
  });
}

/** The path of a collection, or of one object. */
export function pathOf(type: ResourceType, namespace: string | undefined, name?: string): string {
  return [
    type.group ? `/apis/${type.group}` : '/api',
    type.version,
    ...(namespace ? ['namespaces', namespace] : []),
    type.plural,
    ...(name ? [name] : []),
  ].join('/');
}

export async function readyPod(namespace: string, name: string): Promise<Pod> {
  return until(`pod ${name} is ready`, async () => {
    const pod = await kube.find(pods, name, { namespace });
    return isReady(pod) && pod;
  });
}

export async function gone(type: ResourceType, name: string, namespace?: string): Promise<true> {
  return until(`${type.kind} ${name} is gone`, async () => (await kube.find(type, name, namespace ? { namespace } : {})) === undefined);
}
