import type { ApiObject, FieldError, KindDefinition, ResourceRegistry, SchemaApi } from '../contracts.ts';
import { applyDefaults } from './defaults.ts';
import { schemaOf } from './definitions.ts';
import { prune } from './prune.ts';
import { checkValue } from './structural.ts';
import { tableOf } from './tables.ts';

function validate(kind: KindDefinition, object: ApiObject, old?: ApiObject): FieldError[] {
  return checkValue(object, old, schemaOf(kind), { path: '', custom: kind.custom !== undefined, depth: 0 });
}

const emptyOpenApi = (registry: ResourceRegistry): object => ({ swagger: '2.0', info: { title: 'kip', version: String(registry.generation) }, paths: {}, definitions: {} });

export const schemaApi: SchemaApi = {
  validate,
  applyDefaults,
  prune,
  tableOf,
  openApiV2: emptyOpenApi,
  openApiV2Protobuf: () => Buffer.alloc(0),
  openApiV3Index: () => ({ paths: {} }),
  openApiV3: () => undefined,
};
