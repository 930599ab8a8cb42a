export { adminApi } from './admin/admin-api.ts';
export { openBody, sealBody } from './admin/sealed-body.ts';
export { Identities, type Identity, type User } from './auth/identities.ts';
export { allows, parsePolicy, type PolicyDocument } from './auth/policy.ts';
export { S3Error } from './errors.ts';
export type { Call } from './http/call.ts';
export type { Extension } from './http/server.ts';
export { startObjectStore, type ObjectStore, type ObjectStoreOptions } from './object-store.ts';
export { settingsFromEnvironment } from './settings.ts';
