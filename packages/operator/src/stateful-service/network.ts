import type { Service } from 'kubernetes-types/core/v1.d.ts';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import { childNames, labels, type StatefulService } from '@skipper/api';
import type { Engine } from '@skipper/engines';
import { nameOf, namespaceOf } from '../ownership.ts';
import { childLabels, ownerReference, selectorLabels } from './ownership.ts';

/** Carried by the operator's namespace and its pods: whom policies admit from outside. */
const operatorNamespaceLabels = { 'skipper.dev/operator': 'true' };
const operatorPodLabels = { [labels.name]: 'skipper-operator' };

export function headlessService(service: StatefulService, engine: Engine): Service {
  return {
    metadata: {
      name: childNames.headlessService(nameOf(service)),
      namespace: namespaceOf(service),
      labels: childLabels(service),
      ownerReferences: [ownerReference(service)],
    },
    spec: {
      clusterIP: 'None',
      selector: selectorLabels(service),
      ports: engine.ports.map(({ name, port }) => ({ name, port, targetPort: name, protocol: 'TCP' })),
    },
  };
}

/** Nobody but the pods of the same namespace and the operator reaches the service. */
export function networkPolicy(service: StatefulService, engine: Engine): NetworkPolicy {
  return {
    metadata: {
      name: childNames.networkPolicy(nameOf(service)),
      namespace: namespaceOf(service),
      labels: childLabels(service),
      ownerReferences: [ownerReference(service)],
    },
    spec: {
      podSelector: { matchLabels: selectorLabels(service) },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [
            { podSelector: {} },
            { namespaceSelector: { matchLabels: operatorNamespaceLabels }, podSelector: { matchLabels: operatorPodLabels } },
          ],
          ports: engine.ports.map(({ port }) => ({ port, protocol: 'TCP' })),
        },
      ],
    },
  };
}
