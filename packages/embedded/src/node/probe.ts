import { request } from 'node:http';
import { request as requestSecurely } from 'node:https';
import { connect } from 'node:net';
import type { Container, HTTPGetAction, Probe } from 'kubernetes-types/core/v1.d.ts';

export interface ProbeTarget {
  podIP: string;
  container: Container;
  /** Runs a command beside the container's process. @returns its exit code and output. */
  run(argv: string[], signal: AbortSignal): Promise<{ exitCode: number; output: string }>;
}

export interface ProbeResult {
  success: boolean;
  /** Why not. */
  message: string;
}

/** Asks once, for at most the probe's `timeoutSeconds`. Never throws. */
export async function probeOnce(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const timeout = AbortSignal.any([signal, AbortSignal.timeout((probe.timeoutSeconds ?? 1) * 1000)]);
  try {
    if (probe.exec) {
      const { exitCode, output } = await target.run(probe.exec.command ?? [], timeout);
      return { success: exitCode === 0, message: output.trim() || `exit code ${exitCode}` };
    }
    if (probe.httpGet) return await getOnce(probe.httpGet, target, timeout);
    if (probe.tcpSocket) return await connectOnce(probe.tcpSocket.host || target.podIP, portNumber(probe.tcpSocket.port, target.container), timeout);
    return { success: false, message: 'this kind of probe is not supported here' };
  } catch (error) {
    return { success: false, message: timeout.aborted ? 'timed out' : (error as Error).message };
  }
}

function portNumber(port: number | string, container: Container): number {
  const number = typeof port === 'number' ? port : container.ports?.find(({ name }) => name === port)?.containerPort;
  if (number === undefined) throw new Error(`the container has no port named "${port}"`);
  return number;
}

function getOnce(action: HTTPGetAction, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const options = {
      host: action.host || target.podIP,
      port: portNumber(action.port as number | string, target.container),
      path: action.path ?? '/',
      headers: { connection: 'close', ...Object.fromEntries((action.httpHeaders ?? []).map(({ name, value }) => [name, value])) },
      agent: false as const,
      rejectUnauthorized: false,
      signal,
    };
    const asked = (action.scheme === 'HTTPS' ? requestSecurely : request)(options, (answer) => {
      answer.resume();
      const status = answer.statusCode ?? 0;
      resolve({ success: status >= 200 && status < 400, message: `HTTP probe failed with statuscode: ${status}` });
    });
    asked.on('error', reject);
    asked.end();
  });
}

function connectOnce(host: string, port: number, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve({ success: true, message: '' });
    });
    socket.once('error', reject);
  });
}
