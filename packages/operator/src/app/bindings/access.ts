import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { KipError } from '@skipper/api';
import type { Engine, ServiceAccess } from '@skipper/engines';
import { openTunnel, type KubeClient, type Tunnel } from '@skipper/kube';
import { nameOf, namespaceOf } from '../../ownership.ts';

/** How this operator gets to engines: at the address of their pods, or through the API server. */
export type Reach = 'direct' | 'tunnel';

export interface AccessTarget {
  engine: Engine;
  pod: Pod;
  administrator: { username: string; password: string };
}

export interface AccessOptions {
  client: KubeClient;
  reach: Reach;
  /** For all of the work together. */
  timeoutMs: number;
  /** Ends the work when the operator stops. */
  stopping: AbortSignal;
}

/**
 * Lets `work` at an engine, and closes every way to it afterwards.
 * @throws KipError `timeout` when it does not end in time, whether or not the driver heeds the signal.
 */
export async function withAccess<T>(target: AccessTarget, options: AccessOptions, work: (access: ServiceAccess) => Promise<T>): Promise<T> {
  const { client, reach, timeoutMs, stopping } = options;
  const end = new AbortController();
  const tunnels: Tunnel[] = [];
  const abort = () => end.abort(stopping.reason);
  const timer = setTimeout(
    () =>
      end.abort(
        new KipError('timeout', `${target.engine.title} in pod "${nameOf(target.pod)}" did not answer within ${timeoutMs / 1000} s.`),
      ),
    timeoutMs,
  );
  stopping.addEventListener('abort', abort);
  if (stopping.aborted) abort();
  const ended = new Promise<never>((_, reject) => {
    if (end.signal.aborted) reject(end.signal.reason);
    end.signal.addEventListener('abort', () => reject(end.signal.reason));
  });
  const endpoint = async (portName: string): Promise<{ host: string; port: number }> => {
    const port = target.engine.ports.find(({ name }) => name === portName)?.port;
    if (port === undefined) throw new TypeError(`${target.engine.title} has no port "${portName}"`);
    if (reach === 'direct') return { host: target.pod.status?.podIP ?? '', port };
    const tunnel = await openTunnel(client, {
      namespace: namespaceOf(target.pod),
      pod: nameOf(target.pod),
      port,
      localPort: 0,
      waitForPodMs: timeoutMs,
    });
    tunnels.push(tunnel);
    // Opened too late for anybody to use it.
    if (end.signal.aborted) await tunnel.close();
    return { host: '127.0.0.1', port: tunnel.localPort };
  };
  try {
    const working = work({ administrator: target.administrator, endpoint, signal: end.signal });
    // Nobody waits for what ends after its time.
    working.catch(() => undefined);
    return await Promise.race([working, ended]);
  } finally {
    clearTimeout(timer);
    stopping.removeEventListener('abort', abort);
    ended.catch(() => undefined);
    await Promise.all(tunnels.map((tunnel) => tunnel.close()));
  }
}
