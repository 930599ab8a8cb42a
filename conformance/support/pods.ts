import type { Container, Pod, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { nodeImage } from './node-image.ts';

/** Scripts that pods run with `node -e`. On a cluster of containers they are process 1, which ignores SIGTERM unless it handles it. */
export const scripts = {
  idle: `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000);`,
  /** Answers each connection with `<port> ` and what it receives, in upper case. */
  echo: `
    const net = require('node:net');
    process.on('SIGTERM', () => process.exit(0));
    for (const port of [8080, 8081]) net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.write(port + ' ');
      socket.on('data', (data) => socket.write(data.toString().toUpperCase()));
      socket.on('end', () => socket.end());
    }).listen(port, process.env.LISTEN_ADDRESS, () => console.log('listening on ' + port));`,
} as const;

export function nodeContainer(script: string, overrides: Partial<Container> = {}): Container {
  return { name: 'main', image: nodeImage, imagePullPolicy: 'IfNotPresent', command: ['node', '-e', script], ...overrides };
}

/** A pod that runs one script; it is gone a second after it was deleted. */
export function nodePod(
  namespace: string,
  name: string,
  script: string,
  overrides: { container?: Partial<Container>; spec?: Partial<PodSpec>; labels?: Record<string, string> } = {},
): Pod {
  return {
    metadata: { namespace, name, labels: { app: name, ...overrides.labels } },
    spec: podSpec(script, overrides),
  };
}

export function podSpec(script: string, overrides: { container?: Partial<Container>; spec?: Partial<PodSpec> } = {}): PodSpec {
  return { terminationGracePeriodSeconds: 1, containers: [nodeContainer(script, overrides.container)], ...overrides.spec };
}

export function conditionStatus(pod: Pod | undefined, type: string): string | undefined {
  return pod?.status?.conditions?.find((condition) => condition.type === type)?.status;
}

export const isReady = (pod: Pod | undefined): boolean => conditionStatus(pod, 'Ready') === 'True';
