import { connect, type Socket } from 'node:net';
import { KubeError } from '@skipper/kube';
import type { NodeEndpoints, PodReference } from '../contracts.ts';
import { ContainerError } from './container-error.ts';
import type { ContainerRunner } from './container-runner.ts';
import type { PodWorker } from './pod-worker.ts';

/** What the API server asks the node for. */
export function podEndpoints(find: (pod: PodReference) => PodWorker | undefined): NodeEndpoints {
  const requireWorker = (pod: PodReference): PodWorker => {
    const worker = find(pod);
    if (!worker) throw failure(404, 'NotFound', `pods "${pod.name}" not found`);
    return worker;
  };
  /** The container that is named, else the one that the pod names for such requests, else its only one. */
  const requireRunner = (reference: PodReference, name: string | undefined): ContainerRunner => {
    const { pod, containers } = requireWorker(reference);
    const { all, main } = containers;
    if (name !== undefined) {
      const named = all.find(({ container }) => container.name === name);
      if (!named) throw badRequest(`container ${name} is not valid for pod ${reference.name}`);
      return named;
    }
    const preferred = pod.metadata?.annotations?.['kubectl.kubernetes.io/default-container'];
    const runner = main.find(({ container }) => container.name === preferred) ?? (main.length === 1 ? main[0] : undefined);
    if (!runner) {
      const names = all.map(({ container }) => container.name);
      throw badRequest(`a container name must be specified for pod ${reference.name}, choose one of: [${names.join(' ')}]`);
    }
    return runner;
  };
  return {
    async log(pod, options) {
      const runner = requireRunner(pod, options.container);
      const { name } = runner.container;
      const { state, lastState, restartCount } = runner.status;
      if (options.previous && !lastState?.terminated)
        throw badRequest(`previous terminated container "${name}" in pod "${pod.name}" not found`);
      if (state?.waiting && !options.previous && restartCount === 0) {
        throw badRequest(`container "${name}" in pod "${pod.name}" is waiting to start: ${state.waiting.message ?? state.waiting.reason}`);
      }
      return runner.log.read(options);
    },
    async exec(pod, { container, command, tty, ...streams }) {
      const runner = requireRunner(pod, container);
      if (tty) throw badRequest('a terminal (tty) is not supported here; leave out -t');
      try {
        return await runner.exec(command, streams);
      } catch (error) {
        throw error instanceof ContainerError ? badRequest(error.message) : error;
      }
    },
    async dial(pod, port) {
      const { podIP } = requireWorker(pod);
      return new Promise<Socket>((resolve, reject) => {
        const socket = connect({ host: podIP, port, noDelay: true, allowHalfOpen: true });
        socket.once('error', reject);
        socket.once('connect', () => {
          socket.off('error', reject);
          resolve(socket);
        });
      });
    },
  };
}

function badRequest(message: string): KubeError {
  return failure(400, 'BadRequest', message);
}

function failure(code: number, reason: string, message: string): KubeError {
  return new KubeError(code, { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message, metadata: {} });
}
