import type { SchemaApi } from '../contracts.ts';
import { applyDefaults } from './defaults.ts';
import { encodeOpenApiV2 } from './openapi-protobuf.ts';
import { openApiV2, openApiV3, openApiV3Index } from './openapi.ts';
import { prune } from './prune.ts';
import { tableOf } from './tables.ts';
import { validate } from './validate.ts';

export const schemaApi: SchemaApi = {
  validate,
  applyDefaults,
  prune,
  tableOf,
  openApiV2,
  openApiV2Protobuf: (registry) => encodeOpenApiV2(openApiV2(registry)),
  openApiV3Index,
  openApiV3,
};
