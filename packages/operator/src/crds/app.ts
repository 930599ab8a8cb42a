import type { CustomResourceDefinition, JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.d.ts';
import { apiVersionOf, appNameLimit, apps, serviceNameLimit, skipperGroup } from '@skipper/api';
import { conditions, mapList, nameRules, observedGeneration, quantity, resources } from './schemas.ts';

/** A variable's prefix: what a shell takes as the beginning of a variable's name, in the customary capitals. */
export const prefixPattern = '^[A-Z][A-Z0-9_]*$';
export const prefixLimit = 64;
export const hostPattern = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';
/** More than anybody binds. */
const mostBindings = 32;

const selector = (description: string, properties: Record<string, JSONSchemaProps>, required: string[]): JSONSchemaProps => ({
  type: 'object',
  description,
  required,
  properties,
});

const keyOf = (what: string): JSONSchemaProps =>
  selector(
    `A key of a ${what} in the same namespace.`,
    {
      name: { type: 'string', description: `Name of the ${what}.` },
      key: { type: 'string', description: 'The key whose value is taken.' },
      optional: { type: 'boolean', description: `Whether the app starts without it.` },
    },
    ['key'],
  );

const envVar: JSONSchemaProps = {
  type: 'object',
  required: ['name'],
  properties: {
    name: {
      type: 'string',
      minLength: 1,
      maxLength: 256,
      pattern: '^[-._a-zA-Z][-._a-zA-Z0-9]*$',
      description: 'Name of the variable.',
    },
    value: { type: 'string', description: 'Its value; `$(OTHER)` stands for a variable before it.' },
    valueFrom: {
      type: 'object',
      description: 'Where its value comes from, instead of `value`.',
      properties: {
        secretKeyRef: keyOf('Secret'),
        configMapKeyRef: keyOf('ConfigMap'),
        fieldRef: selector(
          'A field of the pod.',
          {
            apiVersion: { type: 'string', description: 'Version of the schema that the path is of. Default `v1`.' },
            fieldPath: { type: 'string', description: 'Path of the field, for example `status.podIP`.' },
          },
          ['fieldPath'],
        ),
        resourceFieldRef: selector(
          'A request or limit of a container.',
          {
            containerName: { type: 'string', description: 'Name of the container.' },
            resource: { type: 'string', description: 'For example `limits.memory`.' },
            divisor: quantity('The unit of the value. Default 1.'),
          },
          ['resource'],
        ),
      },
    },
  },
};

const binding: JSONSchemaProps = {
  type: 'object',
  required: ['service'],
  properties: {
    service: {
      type: 'string',
      minLength: 1,
      maxLength: serviceNameLimit,
      pattern: '^[a-z]([-a-z0-9]*[a-z0-9])?$',
      description: 'Name of a StatefulService in the same namespace.',
    },
    prefix: {
      type: 'string',
      maxLength: prefixLimit,
      pattern: prefixPattern,
      description: "First part of the variables' names, for example `DB`. Left out: the service type's.",
    },
    database: {
      type: 'string',
      minLength: 1,
      maxLength: 128,
      description:
        "The app's own part of the service: database, virtual host, bucket, or prefix of its keys or indices. Left out: made of the names of the app and the environment.",
    },
  },
};

const spec: JSONSchemaProps = {
  description: 'What is wanted.',
  type: 'object',
  properties: {
    image: {
      type: 'string',
      minLength: 1,
      maxLength: 512,
      pattern: '^\\S+$',
      description: 'Container image. May be left out on the embedded cluster, where `command` runs as a process of the machine.',
    },
    command: { type: 'array', items: { type: 'string' }, description: "Program and its first arguments, instead of the image's own." },
    args: { type: 'array', items: { type: 'string' }, description: "Arguments, instead of the image's own." },
    workingDir: {
      type: 'string',
      maxLength: 4096,
      pattern: '^/',
      description: "Folder that the command starts in, instead of the image's own; on the embedded cluster a folder of the machine.",
    },
    port: {
      type: 'integer',
      format: 'int32',
      minimum: 1,
      maximum: 65_535,
      description: 'TCP port that the app listens on. Without one nothing can reach it: it gets no Service.',
    },
    // Set by default rather than left out, because the scale subresource reads it.
    replicas: { type: 'integer', format: 'int32', minimum: 0, default: 1, description: 'How many pods run.' } as JSONSchemaProps,
    env: mapList('name', 'Environment variables: a value, or where it comes from.', envVar),
    host: {
      type: 'string',
      maxLength: 253,
      pattern: hostPattern,
      description: 'Public host name: makes an Ingress.',
    },
    resources: resources('app'),
    bindings: mapList('service', 'Services whose variables the app gets, one entry a service.', binding, mostBindings),
  },
  'x-kubernetes-validations': [
    {
      rule: 'has(self.image) || (has(self.command) && size(self.command) > 0)',
      message: 'an image is needed, or, on the embedded cluster, a command',
    },
    { rule: '!has(self.host) || has(self.port)', message: 'a host needs a port' },
  ],
} as JSONSchemaProps;

const status: JSONSchemaProps = {
  description: 'What is. Written by the operator.',
  type: 'object',
  properties: {
    observedGeneration,
    conditions,
    replicas: { type: 'integer', format: 'int32', description: 'Pods that there are.' },
    readyReplicas: { type: 'integer', format: 'int32', description: 'Pods that are ready and have the newest template.' },
    selector: { type: 'string', description: 'Selects its pods: for autoscalers.' },
    url: { type: 'string', description: 'Where browsers reach it, when it has a host.' },
    bindings: mapList('service', 'What became of each binding.', {
      type: 'object',
      required: ['service'],
      properties: {
        service: { type: 'string', description: 'Name of the StatefulService.' },
        secret: { type: 'string', description: 'Secret with the variables.' },
        database: { type: 'string', description: "The app's own part of the service." },
        username: { type: 'string', description: "The app's account." },
        ready: { type: 'boolean', description: 'Whether the account has been logged in with since it was made.' },
        reason: { type: 'string', description: 'Why, as one word for programs.' },
        message: { type: 'string', description: 'Why, for people, and what to do.' },
      },
    }),
  },
};

export const appCrd: CustomResourceDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${apps.plural}.${skipperGroup}`,
    labels: { 'app.kubernetes.io/name': 'skipper', 'app.kubernetes.io/managed-by': 'skipper' },
  },
  spec: {
    group: skipperGroup,
    scope: 'Namespaced',
    names: {
      kind: apps.kind,
      listKind: `${apps.kind}List`,
      plural: apps.plural,
      singular: 'app',
      categories: ['all', 'skipper'],
    },
    versions: [
      {
        name: apps.version,
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' },
        },
        additionalPrinterColumns: [
          { name: 'Image', type: 'string', jsonPath: '.spec.image' },
          { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', priority: 1 },
          { name: 'Replicas', type: 'integer', jsonPath: '.status.readyReplicas' },
          { name: 'Host', type: 'string', jsonPath: '.spec.host' },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        schema: {
          openAPIV3Schema: {
            description: `A stateless program: a Deployment, with a port a Service, with a host an Ingress (${apiVersionOf(apps)}).`,
            type: 'object',
            required: ['spec'],
            properties: {
              apiVersion: { type: 'string' },
              kind: { type: 'string' },
              metadata: { type: 'object' },
              spec,
              status,
            },
            'x-kubernetes-validations': nameRules(appNameLimit),
          } as JSONSchemaProps,
        },
      },
    ],
  },
};
