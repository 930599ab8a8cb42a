import { connect } from 'node:net';
import type { Container } from 'kubernetes-types/core/v1.d.ts';

/** Whoever listens on this machine takes a connection at once. */
const answerWithinMs = 1_000;

/** How programs say that they could not listen: Node, and everybody who prints the system's own words. */
export const addressInUse = /EADDRINUSE|address already in use/i;

/**
 * The first of a container's ports that is taken at its address before it has started: by a program that listens on all addresses of the
 * machine. Asked by a connection, for a trial of listening would be in the way of those that are starting.
 */
export async function takenPort(address: string, { ports = [] }: Container): Promise<number | undefined> {
  for (const { containerPort, protocol = 'TCP' } of ports) {
    if (protocol === 'TCP' && (await isTaken(address, containerPort))) return containerPort;
  }
  return undefined;
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: answerWithinMs });
    const settle = (taken: boolean): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(false));
    socket.on('error', () => settle(false));
  });
}

/** Why a container waits for a port. @param holders the pods that may have it. */
export function portInUseMessage(port: number | undefined, holders: readonly string[]): string {
  const who = holders.length > 0 ? `by pod ${holders.join(' or ')}` : 'by another program';
  return `port ${port ?? 'that it listens on'} of this machine is taken ${who}; every pod has an address of its own, so that all can have the port when each listens on its own address only, which is in $HOST`;
}
