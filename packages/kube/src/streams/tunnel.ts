import { createServer, type AddressInfo, type Server } from 'node:net';
import { KipError } from '@skipper/api';
import type { KubeClient, Tunnel, TunnelOptions } from '../types.ts';
import { TunnelConnection } from './tunnel-connection.ts';
import { TunnelTarget } from './tunnel-target.ts';

const defaultWaitForPodMs = 60_000;

/**
 * Listens on 127.0.0.1 and carries every connection to a port of a pod, through restarts of the pod and of the way to it.
 * @throws KipError `port-in-use` when the local port is taken.
 */
export async function openTunnel(client: KubeClient, options: TunnelOptions): Promise<Tunnel> {
  const listener = createServer({ allowHalfOpen: true, noDelay: true });
  await listen(listener, options.localPort);
  const target = new TunnelTarget(client, options);
  const sockets = new Set<{ destroy(): void }>();
  let lastFailure = '';
  listener.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    new TunnelConnection(socket, {
      target,
      port: options.port,
      waitForPodMs: options.waitForPodMs ?? defaultWaitForPodMs,
      onFailure: ({ message }) => {
        if (message !== lastFailure) options.onNotice?.(message);
        lastFailure = message;
      },
    });
  });
  return {
    localPort: (listener.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => listener.close(resolve));
      target.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function listen(listener: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') {
        const why = error.code === 'EACCES' ? 'may not be opened by this user' : 'is in use';
        reject(
          new KipError('port-in-use', `Local port ${port} ${why}.`, {
            hint: 'Choose another with --local-port, or --local-port 0 for any free one.',
            cause: error,
          }),
        );
      } else reject(error);
    });
    listener.listen(port, '127.0.0.1', resolve);
  });
}
