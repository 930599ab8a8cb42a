import { KubeError } from '@skipper/kube';
import type { Status } from 'kubernetes-types/meta/v1.d.ts';
import { StorageError } from '../store/database.ts';
import { ApplyConflictError, PatchError, type FieldError, type KindDefinition } from '../../contracts.ts';

type Details = NonNullable<Status['details']>;

/** An answer that is a failure, as Kubernetes words it. */
export function failure(code: number, reason: string, message: string, details?: Details): KubeError {
  return new KubeError(code, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details ? { details } : {}),
    code,
  });
}

export const badRequest = (message: string): KubeError => failure(400, 'BadRequest', message);
export const forbidden = (message: string): KubeError => failure(403, 'Forbidden', message);
export const notAcceptable = (message: string): KubeError => failure(406, 'NotAcceptable', message);
export const expired = (message: string): KubeError => failure(410, 'Expired', message);
export const unsupportedMediaType = (message: string): KubeError => failure(415, 'UnsupportedMediaType', message);

/** How messages name a resource, for example `statefulsets.apps "db"`. */
function nameOf({ type }: KindDefinition, name: string): string {
  return `${type.plural}${type.group ? `.${type.group}` : ''} "${name}"`;
}

function detailsOf({ type }: KindDefinition, name: string): Details {
  return { name, ...(type.group ? { group: type.group } : {}), kind: type.plural };
}

export const notFound = (kind: KindDefinition, name: string): KubeError =>
  failure(404, 'NotFound', `${nameOf(kind, name)} not found`, detailsOf(kind, name));
export const alreadyExists = (kind: KindDefinition, name: string): KubeError =>
  failure(409, 'AlreadyExists', `${nameOf(kind, name)} already exists`, detailsOf(kind, name));
export const conflict = (
  kind: KindDefinition,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): KubeError => failure(409, 'Conflict', `Operation cannot be fulfilled on ${nameOf(kind, name)}: ${why}`, detailsOf(kind, name));

export function invalid(kind: KindDefinition, name: string, errors: readonly FieldError[]): KubeError {
  const { type } = kind;
  const listed = errors.map(({ field, message }) => `${field}: ${message}`);
  const text = listed.length === 1 ? listed[0] : `[${listed.join(', ')}]`;
  return failure(422, 'Invalid', `${type.kind}${type.group ? `.${type.group}` : ''} "${name}" is invalid: ${text}`, {
    name,
    ...(type.group ? { group: type.group } : {}),
    kind: type.kind,
    causes: [...errors],
  });
}

/** What the server answers for anything thrown while a request was handled. `undefined`: our bug, to be logged. */
export function failureOf(error: unknown): KubeError | undefined {
  if (error instanceof KubeError) return error;
  if (error instanceof PatchError) return error.status === 400 ? badRequest(error.message) : failure(422, 'Invalid', error.message);
  if (error instanceof ApplyConflictError) return applyConflict(error);
  if (error instanceof StorageError)
    return failure(error.full ? 507 : 500, error.full ? 'InsufficientStorage' : 'InternalError', `${error.message}; nothing was changed`);
  return undefined;
}

function applyConflict({ message, conflicts }: ApplyConflictError): KubeError {
  return failure(409, 'Conflict', message, {
    causes: conflicts.map(({ manager, field }) => ({ reason: 'FieldManagerConflict', message: `conflict with ${manager}`, field })),
  });
}
