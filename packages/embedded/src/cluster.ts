import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { namespaces, storageClasses, type ImageResolver } from '@skipper/api';
import { createClient, hasReason, loadKubeconfig, resolveCluster, type KubeClient } from '@skipper/kube';
import { loadIdentity, writePrivately, type Identity } from './apiserver/http/identity.ts';
import { createObjectRoutes } from './apiserver/http/object-routes.ts';
import { startApiServer, type ApiServer, type ApiServerOptions } from './apiserver/http/server.ts';
import { startLifecycle } from './apiserver/objects/lifecycle.ts';
import { ObjectWriter } from './apiserver/objects/object-writer.ts';
import { createRegistry } from './apiserver/objects/registry.ts';
import { ObjectStore } from './apiserver/store/object-store.ts';
import type { Log } from './contracts.ts';
import { startControllers } from './controllers/index.ts';
import { startNode, type NodeHandle } from './node/index.ts';
import { patchApi } from './patch/index.ts';
import { schemaApi } from './schema/index.ts';
import { podStateFolder } from './state-folder.ts';

export interface ClusterOptions {
  /** Everything the cluster keeps; made when missing. One cluster at a time. */
  dataDir: string;
  /** Port of the API; 0 or nothing: the same as last time where that is free, else any. */
  port?: number;
  /** What images mean as processes. */
  images: ImageResolver;
  /** For programs that are fetched; may be shared by clusters. */
  enginesDir: string;
  log: Log;
}

export interface EmbeddedCluster {
  /** URL of the API. */
  readonly server: string;
  /** A kubeconfig with the context `kip`, for this user only. */
  readonly kubeconfigPath: string;
  /** Stops every pod's processes and the API. Everything is kept. */
  close(): Promise<void>;
}

/** The namespaces and the storage class that every cluster has. */
const firstNamespaces = ['default', 'kube-system', 'kube-public'];
const firstStorageClass = {
  metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'skipper.dev/folder',
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
  allowVolumeExpansion: true,
} as const;

/**
 * Starts a cluster: API, controllers and node. Resolves when the API serves and every pod of last time is being started again.
 * @throws KipError `locked` when another process uses `dataDir`, `damaged` or `disk-full` for what is on disk.
 */
export async function startCluster({ dataDir, port = 0, images, enginesDir, log }: ClusterOptions): Promise<EmbeddedCluster> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const [store, identity] = await Promise.all([ObjectStore.open(join(dataDir, 'store')), loadIdentity(dataDir)]);
  const registry = createRegistry(store);
  const writer = new ObjectWriter(store, schemaApi, patchApi);
  const lifecycle = startLifecycle(writer, registry, log);
  const kubeconfigPath = join(dataDir, 'kubeconfig');
  let node: NodeHandle | undefined;
  const server = await listenAsBefore(
    {
      identity,
      port,
      registry,
      schema: schemaApi,
      routes: createObjectRoutes(writer, schemaApi, patchApi),
      node: () => node?.endpoints,
      log,
    },
    join(dataDir, 'port'),
  );
  const url = `https://127.0.0.1:${server.port}`;
  writePrivately(kubeconfigPath, kubeconfigText(url, identity));
  const client = createClient(resolveCluster(await loadKubeconfig({ files: [kubeconfigPath] })), { env: {} });
  await makeFirstObjects(client);
  const stateFolder = podStateFolder(dataDir);
  const controllers = startControllers(client, { dataDir: stateFolder, log });
  node = await startNode(client, { dataDir: stateFolder, enginesDir, images, log });
  return {
    server: url,
    kubeconfigPath,
    async close() {
      await controllers.close();
      await node?.close();
      await lifecycle.close();
      client.close();
      await server.close();
      await store.close();
    },
  };
}

/** Clients remember the address, so the port of last time is tried first. */
async function listenAsBefore(options: ApiServerOptions, file: string): Promise<ApiServer> {
  const before = options.port || rememberedPort(file);
  const server = await startApiServer({ ...options, port: before }).catch((error: NodeJS.ErrnoException) => {
    if (options.port || error.code !== 'EADDRINUSE') throw error;
    return startApiServer({ ...options, port: 0 });
  });
  if (server.port !== before) writePrivately(file, String(server.port));
  return server;
}

function rememberedPort(file: string): number {
  try {
    const port = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : 0;
  } catch {
    return 0;
  }
}

/** JSON, which every reader of YAML reads. */
function kubeconfigText(server: string, { ca, tokens }: Identity): string {
  return JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'kip', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
      users: [{ name: 'kip', user: { token: tokens.admin } }],
      contexts: [{ name: 'kip', context: { cluster: 'kip', user: 'kip' } }],
      'current-context': 'kip',
    },
    undefined,
    2,
  );
}

async function makeFirstObjects(client: KubeClient): Promise<void> {
  const ignoreExisting = (error: unknown): void => {
    if (!hasReason(error, 'AlreadyExists')) throw error;
  };
  await Promise.all([
    ...firstNamespaces.map((name) => client.create(namespaces, { metadata: { name } }).catch(ignoreExisting)),
    client.create(storageClasses, firstStorageClass).catch(ignoreExisting),
  ]);
}
