import { request } from 'node:http';
import { request as requestSecurely } from 'node:https';
import { connect } from 'node:net';
import type { Container, HTTPGetAction, LifecycleHandler, Probe } from 'kubernetes-types/core/v1.d.ts';
import { timerDelay } from '../timer-delay.ts';

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
  const seconds = probe.timeoutSeconds ?? 1;
  // By hand: a probe runs for as long as its container, and AbortSignal.any would gather at the container's signal.
  const limit = new AbortController();
  const abort = (): void => limit.abort();
  const timer = setTimeout(abort, timerDelay(seconds * 1000));
  signal.addEventListener('abort', abort);
  try {
    const result = await actOnce(probe, target, limit.signal);
    return limit.signal.aborted ? { success: false, message: `timed out after ${seconds} s` } : result;
  } catch (error) {
    return { success: false, message: limit.signal.aborted ? `timed out after ${seconds} s` : (error as Error).message };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** What probes and lifecycle hooks have in common. */
export async function actOnce(action: Probe | LifecycleHandler, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  if (action.exec) {
    const { exitCode, output } = await target.run(action.exec.command ?? [], signal);
    return { success: exitCode === 0, message: output.trim() || `exit code ${exitCode}` };
  }
  if (action.httpGet) return getOnce(action.httpGet, target, signal);
  if (action.tcpSocket)
    return connectOnce(action.tcpSocket.host || target.podIP, portNumber(action.tcpSocket.port, target.container), signal);
  return { success: false, message: 'this kind of action is not supported here' };
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
      answer.on('error', () => undefined);
      // Only the status counts.
      answer.destroy();
      const status = answer.statusCode ?? 0;
      resolve({ success: status >= 200 && status < 400, message: `HTTP probe failed with statuscode: ${status}` });
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** How long a server may go on after a probe has hung up, in ms; some would for good. */
const hangUpMs = 1_000;

function connectOnce(host: string, port: number, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once('connect', () => {
      // Hung up at once, a server that speaks first would be reset, which not every program survives. It is read until it has ended.
      socket.resume();
      socket.end();
      const impatient = setTimeout(() => socket.destroy(), hangUpMs).unref();
      socket.once('close', () => clearTimeout(impatient));
      resolve({ success: true, message: '' });
    });
    socket.on('error', reject);
  });
}
