import { closeSync, fchmodSync, fstatSync, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { createInformer, type Informer, type KubeClient } from '@skipper/kube';
import type { Endpoints, HostAlias } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import { endpoints } from '../kinds.ts';

const clusterDomain = 'cluster.local';
/** Changes that come together are written together. */
const gatherMs = 20;
const serviceName = /(?<![\w.-])([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.cluster\.local)?(?![\w.-])/g;

/** Keeps hosts files that know the cluster's Services. */
export interface ServiceHosts {
  /** Makes a file for the pods of one namespace and keeps it up to date, always the same inode, until it is closed. */
  open(file: string, namespace: string, aliases?: readonly HostAlias[]): Promise<void>;
  close(file: string): void;
  /** `text` with an address of a Service in place of its full name, as of now. */
  withAddresses(text: string): Promise<string>;
  stop(): void;
}

interface HostsFile {
  descriptor: number;
  namespace: string;
  aliases: readonly HostAlias[];
}

/** Watches nothing before the first file is opened: most clusters have no use for it. */
export function createServiceHosts(client: KubeClient, log: Log): ServiceHosts {
  const files = new Map<string, HostsFile>();
  let informer: Informer<Endpoints> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const watching = async (): Promise<Informer<Endpoints>> => {
    if (!informer) {
      informer = createInformer(client, endpoints, { log });
      informer.subscribe(() => {
        timer ??= setTimeout(writeAll, gatherMs);
      });
    }
    await informer.synced();
    return informer;
  };
  const write = ({ descriptor, namespace, aliases }: HostsFile): void => {
    const text = hostsText(machineHosts(), informer!.list(), namespace, aliases);
    try {
      overwrite(descriptor, text);
    } catch (error) {
      log(`hosts files: ${(error as Error).message}`);
    }
  };
  const writeAll = (): void => {
    timer = undefined;
    for (const file of files.values()) write(file);
  };

  return {
    async open(file, namespace, aliases = []) {
      await watching();
      if (files.has(file)) return;
      // Of a cluster that was killed.
      rmSync(file, { force: true });
      // Through the descriptor it stays writable for the cluster, and for nobody else.
      const opened = { descriptor: openSync(file, 'wx', 0o444), namespace, aliases };
      fchmodSync(opened.descriptor, 0o444);
      files.set(file, opened);
      write(opened);
    },
    close(file) {
      const found = files.get(file);
      files.delete(file);
      if (found) closeSync(found.descriptor);
    },
    async withAddresses(text) {
      if (!text.includes('.svc')) return text;
      const known = await watching();
      return text.replace(serviceName, (all, name: string, namespace: string) => {
        const found = known.get(name, namespace);
        return (found && addressesOf(found)[0]?.ip) ?? all;
      });
    },
    stop() {
      clearTimeout(timer);
      informer?.close();
      for (const file of files.keys()) this.close(file);
    },
  };
}

/**
 * A hosts file: Services by all their names, by the short one in their own namespace only; then what the machine's own file says.
 * @param known Services with their addresses.
 */
export function hostsText(machine: string, known: readonly Endpoints[], namespace: string, aliases: readonly HostAlias[]): string {
  const lines = ['# Services of the embedded cluster. Kept up to date by it.'];
  for (const service of known) {
    const { name, namespace: of } = service.metadata!;
    const full = `${name}.${of}.svc.${clusterDomain}`;
    const names = [full, `${name}.${of}.svc`, `${name}.${of}`, ...(of === namespace && name !== 'localhost' ? [name] : [])];
    for (const { ip, hostname } of addressesOf(service)) lines.push([ip, ...names, ...(hostname ? [`${hostname}.${full}`] : [])].join(' '));
  }
  for (const { ip, hostnames = [] } of aliases) if (ip) lines.push([ip, ...hostnames].join(' '));
  return `${lines.join('\n')}\n\n${machine}`;
}

/** Of ready pods; of all when none is ready, for a refused connection says more than a name that nobody knows. */
function addressesOf({ subsets = [] }: Endpoints): { ip: string; hostname?: string }[] {
  const ready = subsets.flatMap(({ addresses = [] }) => addresses);
  return ready.length > 0 ? ready : subsets.flatMap(({ notReadyAddresses = [] }) => notReadyAddresses);
}

function machineHosts(): string {
  try {
    return readFileSync('/etc/hosts', 'utf8');
  } catch {
    return '127.0.0.1 localhost\n';
  }
}

/** In one write, with empty lines over what was longer before: who reads meanwhile never sees a line cut in half. */
function overwrite(descriptor: number, text: string): void {
  const next = Buffer.from(text);
  const { size } = fstatSync(descriptor);
  writeSync(descriptor, Buffer.concat([next, Buffer.alloc(Math.max(0, size - next.length), '\n')]), 0, undefined, 0);
  ftruncateSync(descriptor, next.length);
}
