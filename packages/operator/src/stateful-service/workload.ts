import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Container, ResourceRequirements, Volume, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import { annotations, childNames, compareQuantities, labels, type StatefulService, type StatefulServiceSpec } from '@skipper/api';
import type { Engine } from '@skipper/engines';
import { nameOf, namespaceOf } from '../ownership.ts';
import { childLabels, ownerReference, selectorLabels } from './ownership.ts';

const dataVolume = 'data';
const optionPrefix = 'skipper.dev/';

/** One pod that meets the restricted Pod Security Standard. https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
export function statefulSet(service: StatefulService, engine: Engine, version: string, image = engine.image(version)): StatefulSet {
  const name = nameOf(service);
  const podLabels = { ...childLabels(service), [labels.version]: version };
  // A changed template is what makes Kubernetes replace the pod.
  const restartedAt = service.metadata?.annotations?.[annotations.restartedAt];
  return {
    metadata: {
      name: childNames.statefulSet(name),
      namespace: namespaceOf(service),
      labels: childLabels(service),
      ownerReferences: [ownerReference(service)],
    },
    spec: {
      replicas: 1,
      serviceName: childNames.headlessService(name),
      selector: { matchLabels: selectorLabels(service) },
      updateStrategy: { type: 'RollingUpdate' },
      template: {
        metadata: { labels: podLabels, ...(restartedAt === undefined ? {} : { annotations: { [annotations.restartedAt]: restartedAt } }) },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: engine.terminationGracePeriodSeconds,
          securityContext: {
            runAsNonRoot: true,
            fsGroupChangePolicy: 'OnRootMismatch',
            seccompProfile: { type: 'RuntimeDefault' },
            ...engine.podSecurityContext,
          },
          containers: [container(service, engine, version, image)],
          volumes: volumes(service, engine),
        },
      },
    },
  };
}

function container(service: StatefulService, engine: Engine, version: string, image: string): Container {
  const own = engine.container({
    version,
    credentialsSecret: childNames.credentials(nameOf(service)),
    options: optionsOf(service, engine),
  });
  const mounts: VolumeMount[] = [
    { name: dataVolume, mountPath: engine.dataPath },
    ...engine.scratchPaths.map((path, index) => ({ name: scratchName(index), mountPath: path })),
    ...(own.volumeMounts ?? []),
  ];
  return {
    ...own,
    name: engine.type,
    image,
    imagePullPolicy: 'IfNotPresent',
    ports: engine.ports.map(({ name, port }) => ({ name, containerPort: port, protocol: 'TCP' })),
    resources: resourcesOf(service.spec, engine),
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    volumeMounts: mounts,
  };
}

/** The annotations `skipper.dev/<type>-<option>`: the engine's folder knows what they mean. */
function optionsOf(service: StatefulService, engine: Engine): Record<string, string> {
  const prefix = `${optionPrefix}${engine.type}-`;
  return Object.fromEntries(
    Object.entries(service.metadata?.annotations ?? {}).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );
}

/**
 * The claim is named here rather than in `volumeClaimTemplates`, which cannot change: a grown claim and its StatefulSet would
 * disagree for ever.
 */
function volumes(service: StatefulService, engine: Engine): Volume[] {
  return [
    { name: dataVolume, persistentVolumeClaim: { claimName: childNames.claim(nameOf(service)) } },
    ...engine.scratchPaths.map((_, index) => ({ name: scratchName(index), emptyDir: {} })),
  ];
}

const scratchName = (index: number): string => `scratch-${index}`;

/** The engine's defaults beneath what the user set; a default gives way where the user's own value contradicts it. */
export function resourcesOf(spec: StatefulServiceSpec, engine: Engine): ResourceRequirements {
  const requests: Record<string, string> = { ...engine.defaultResources.requests, ...spec.resources?.requests };
  const limits: Record<string, string> = { ...engine.defaultResources.limits, ...spec.resources?.limits };
  for (const amount of ['cpu', 'memory'] as const) {
    const request = requests[amount];
    const limit = limits[amount];
    if (request === undefined || limit === undefined || compareQuantities(request, limit) <= 0) continue;
    if (spec.resources?.limits?.[amount] === undefined) limits[amount] = request;
    else if (spec.resources.requests?.[amount] === undefined) requests[amount] = limit;
  }
  return { requests, limits };
}
