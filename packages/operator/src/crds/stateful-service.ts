import type { CustomResourceDefinition, JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.d.ts';
import { apiVersionOf, serviceNameLimit, serviceTypes, skipperGroup, statefulServices } from '@skipper/api';
import { conditions, nameRules, observedGeneration, quantity, resources } from './schemas.ts';

const spec: JSONSchemaProps = {
  description: 'What is wanted.',
  type: 'object',
  required: ['type'],
  properties: {
    type: { type: 'string', enum: [...serviceTypes], description: 'What runs. Cannot change.' },
    version: {
      type: 'string',
      minLength: 1,
      maxLength: 63,
      pattern: '^[0-9A-Za-z]([-._0-9A-Za-z]*[0-9A-Za-z])?$',
      description:
        "Version of the engine as its image's tag says it, for example `18`. Left out: the version of the data that is there, else the newest that is known to work.",
    },
    storage: quantity('Size of the volume, for example `5Gi`. May grow where the storage class allows it, never shrink.'),
    storageClassName: {
      type: 'string',
      maxLength: 253,
      description: "Storage class of the volume. Left out: the cluster's default. Cannot change.",
    },
    resources: resources('service'),
  },
  'x-kubernetes-validations': [
    { rule: 'self.type == oldSelf.type', message: 'the type cannot change; delete the service and make a new one' },
    {
      rule: 'has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)',
      message: 'the storage class cannot change',
    },
    {
      rule: '!has(self.storage) || !has(oldSelf.storage) || !isQuantity(string(self.storage)) || !isQuantity(string(oldSelf.storage)) || quantity(string(self.storage)).compareTo(quantity(string(oldSelf.storage))) >= 0',
      message: 'storage can grow but never shrink',
    },
  ],
} as JSONSchemaProps;

const status: JSONSchemaProps = {
  description: 'What is. Written by the operator.',
  type: 'object',
  properties: {
    observedGeneration,
    conditions,
    version: { type: 'string', description: 'The version that runs.' },
    storage: { type: 'string', description: 'Size of the volume, as far as it is provided.' },
    endpoint: {
      type: 'object',
      description: 'Where clients inside the cluster connect.',
      required: ['host', 'port'],
      properties: {
        host: { type: 'string', description: 'DNS name inside the cluster.' },
        port: { type: 'integer', format: 'int32', description: 'TCP port.' },
      },
    },
    binding: {
      type: 'object',
      description: 'The Secret with the connection details: a Provisioned Service of servicebinding.io.',
      required: ['name'],
      properties: { name: { type: 'string', description: 'Name of the Secret, in the same namespace.' } },
    },
  },
};

export const statefulServiceCrd: CustomResourceDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${statefulServices.plural}.${skipperGroup}`,
    labels: {
      'app.kubernetes.io/name': 'skipper',
      'app.kubernetes.io/managed-by': 'skipper',
      'servicebinding.io/provisioned-service': 'true',
    },
  },
  spec: {
    group: skipperGroup,
    scope: 'Namespaced',
    names: {
      kind: statefulServices.kind,
      listKind: `${statefulServices.kind}List`,
      plural: statefulServices.plural,
      singular: 'statefulservice',
      shortNames: ['ssvc'],
      categories: ['all', 'skipper'],
    },
    versions: [
      {
        name: statefulServices.version,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: 'Type', type: 'string', jsonPath: '.spec.type' },
          { name: 'Version', type: 'string', jsonPath: '.status.version' },
          { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', priority: 1 },
          { name: 'Storage', type: 'string', jsonPath: '.status.storage' },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        schema: {
          openAPIV3Schema: {
            description: `A database, cache, queue or store with one pod and a persistent volume (${apiVersionOf(statefulServices)}).`,
            type: 'object',
            required: ['spec'],
            properties: {
              apiVersion: { type: 'string' },
              kind: { type: 'string' },
              metadata: { type: 'object' },
              spec,
              status,
            },
            'x-kubernetes-validations': nameRules(serviceNameLimit),
          } as JSONSchemaProps,
        },
      },
    ],
  },
};
