import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.d.ts';

/** As the API server's own schema has it for a Quantity, without the sign: nothing here may be negative. */
const quantityPattern = '^([0-9]+|[0-9]+\\.[0-9]*|\\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]{1,3}))?$';

export const quantity = (description: string): JSONSchemaProps =>
  ({
    description,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    pattern: quantityPattern,
    'x-kubernetes-int-or-string': true,
    maxLength: 32,
  }) as JSONSchemaProps;

const amounts = (description: string): JSONSchemaProps => ({
  description,
  type: 'object',
  properties: {
    cpu: quantity('Cores: `500m` is half a core.'),
    memory: quantity('Bytes: for example `512Mi`.'),
  },
});

/** Requests and limits. @param what the thing that restarts */
export const resources = (what: string): JSONSchemaProps => ({
  type: 'object',
  description: `CPU and memory. A change restarts the ${what}.`,
  properties: {
    requests: amounts(`What is set aside for the ${what}.`),
    limits: amounts(`What the ${what} may use at most.`),
  },
});

/** A list whose items are told apart by one field. */
export const mapList = (key: string, description: string, items: JSONSchemaProps, maxItems?: number): JSONSchemaProps =>
  ({
    type: 'array',
    description,
    items,
    ...(maxItems === undefined ? {} : { maxItems }),
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': [key],
  }) as JSONSchemaProps;

export const observedGeneration: JSONSchemaProps = {
  type: 'integer',
  format: 'int64',
  description: 'The generation of the spec that this status is about.',
};

export const conditions = mapList('type', 'Judgements, one of each type.', {
  type: 'object',
  required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
  properties: {
    type: { type: 'string', description: 'What is judged. `Ready` sums up the others.' },
    status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'Whether it holds.' },
    reason: { type: 'string', description: 'Why, as one word for programs.' },
    message: { type: 'string', description: 'Why, for people, and what to do.' },
    lastTransitionTime: { type: 'string', format: 'date-time', description: 'When the status changed last.' },
    observedGeneration: { type: 'integer', format: 'int64', description: 'The generation of the spec that was judged.' },
  },
});

/** Rules for the name, which the schema of `metadata` cannot carry. */
export const nameRules = (limit: number): { rule: string; message: string }[] => [
  { rule: `size(self.metadata.name) <= ${limit}`, message: `the name can have at most ${limit} characters` },
  {
    rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message: 'the name must start with a letter and have lower-case letters, digits and "-" only',
  },
];
