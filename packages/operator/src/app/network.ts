import type { Service } from 'kubernetes-types/core/v1.d.ts';
import type { Ingress } from 'kubernetes-types/networking/v1.d.ts';
import { appChildNames, type App } from '@skipper/api';
import { nameOf, namespaceOf } from '../ownership.ts';
import { childLabels, ownerReference, selectorLabels } from './ownership.ts';

/** Answers on the port that the program listens on, so that an app has one port wherever it is spoken of. */
export function service(app: App, port: number): Service {
  return {
    metadata: {
      name: appChildNames.service(nameOf(app)),
      namespace: namespaceOf(app),
      labels: childLabels(app),
      ownerReferences: [ownerReference(app)],
    },
    spec: { type: 'ClusterIP', selector: selectorLabels(app), ports: [{ port, targetPort: port, protocol: 'TCP' }] },
  };
}

/** For the cluster's default ingress controller. */
export function ingress(app: App, host: string, port: number): Ingress {
  const name = nameOf(app);
  return {
    metadata: {
      name: appChildNames.ingress(name),
      namespace: namespaceOf(app),
      labels: childLabels(app),
      ownerReferences: [ownerReference(app)],
    },
    spec: {
      rules: [
        {
          host,
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: appChildNames.service(name), port: { number: port } } } }],
          },
        },
      ],
    },
  };
}
