import { createHash } from 'node:crypto';
import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { Container, EnvFromSource, Lifecycle, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import { annotations, appChildNames, processImage, type App } from '@skipper/api';
import { nameOf, namespaceOf } from '../ownership.ts';
import { childLabels, ownerReference, selectorLabels } from './ownership.ts';

/** On the pod template: which bindings' variables the pods got, so that other ones make new pods. */
const bindingsAnnotation = 'skipper.dev/bindings';
/** On the pod template: its digest, by which a pod is known to be of the newest. */
export const templateAnnotation = 'skipper.dev/template';

/**
 * How long a pod that is to end goes on serving: until every node's proxy and the ingress controller have heard that its address
 * is no endpoint any more. Nothing waits for them in Kubernetes.
 */
const drainSeconds = 5;
/** A program without a port is held to run when it has run this long: nothing else tells it from one that fails at once. */
const settledSeconds = 3;
/** What the program then has to finish its requests. */
const graceSeconds = 30;
/** Pauses without a program of the image are known to the API since this minor version. https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/ */
const sleepActionSince = 30;

/**
 * All that an image needs that starts as root and gives up the rights itself, as many official ones do. A process that does not run
 * as root has none of these, whatever stands here, and `allowPrivilegeEscalation: false` keeps it from getting any.
 */
const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'NET_BIND_SERVICE', 'SETGID', 'SETUID'];

/** The variables of one binding, as the pods get them. */
export interface GivenBinding {
  service: string;
  secret: string;
  /** Of the variables. */
  digest: string;
}

/** The bindings that a pod or a template was given, by service, with the digest of their variables. */
export function bindingsIn(metadata: ObjectMeta | undefined): Map<string, string> {
  const pairs = metadata?.annotations?.[bindingsAnnotation]?.split(',') ?? [];
  return new Map(pairs.map((pair) => pair.split('=', 2) as [string, string]));
}

/** @param minor of the server's version, 1.`minor` */
export function deployment(app: App, bindings: readonly GivenBinding[], minor: number): Deployment {
  const name = nameOf(app);
  return {
    metadata: {
      name: appChildNames.deployment(name),
      namespace: namespaceOf(app),
      labels: childLabels(app),
      ownerReferences: [ownerReference(app)],
    },
    spec: {
      replicas: app.spec.replicas ?? 1,
      ...(app.spec.port === undefined ? { minReadySeconds: settledSeconds } : {}),
      // Its history cannot be gone back to: the app says what runs.
      revisionHistoryLimit: 2,
      selector: { matchLabels: selectorLabels(app) },
      // A pod is taken away when the one that follows it is ready, and no earlier.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: template(app, bindings, minor),
    },
  };
}

function template(app: App, bindings: readonly GivenBinding[], minor: number): PodTemplateSpec {
  const restartedAt = app.metadata?.annotations?.[annotations.restartedAt];
  const marks = {
    ...(bindings.length > 0 ? { [bindingsAnnotation]: bindings.map(({ service, digest }) => `${service}=${digest}`).join(',') } : {}),
    ...(restartedAt === undefined ? {} : { [annotations.restartedAt]: restartedAt }),
  };
  const spec = {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: (app.spec.port === undefined ? 0 : drainSeconds) + graceSeconds,
    // Nothing is known of the user an image runs as, so root is not forbidden.
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    containers: [container(app, bindings, minor)],
  };
  const digest = createHash('sha256').update(JSON.stringify({ marks, spec })).digest('hex').slice(0, 16);
  return { metadata: { labels: childLabels(app), annotations: { ...marks, [templateAnnotation]: digest } }, spec };
}

function container(app: App, bindings: readonly GivenBinding[], minor: number): Container {
  const { image = processImage, command, args, workingDir, env, port, resources } = app.spec;
  const envFrom: EnvFromSource[] = bindings.map(({ secret }) => ({ secretRef: { name: secret } }));
  return {
    name: nameOf(app),
    image,
    ...(command ? { command } : {}),
    ...(args ? { args } : {}),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(env?.length ? { env } : {}),
    ...(envFrom.length > 0 ? { envFrom } : {}),
    ...(resources ? { resources: resources as Container['resources'] } : {}),
    ...(port === undefined ? {} : serving(port, minor)),
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'], add: capabilities } },
  };
}

function serving(port: number, minor: number): Pick<Container, 'ports' | 'readinessProbe' | 'lifecycle'> {
  const sleep = { sleep: { seconds: drainSeconds } } as Lifecycle['preStop'];
  // An image without this program ends at once, as it would without the hook.
  const program: Lifecycle['preStop'] = { exec: { command: ['sleep', String(drainSeconds)] } };
  return {
    ports: [{ containerPort: port, protocol: 'TCP' }],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 3 },
    lifecycle: { preStop: minor >= sleepActionSince ? sleep : program },
  };
}
