import { failure } from '../objects/failures.ts';
import type { ResourceRequest } from '../objects/request-info.ts';
import type { Role } from './identity.ts';

const readVerbs = new Set(['get', 'list', 'watch']);

/** The verb of a request, as roles name it. */
export function verbOf(method: string, { name, watch }: Pick<ResourceRequest, 'name' | 'watch'>): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return watch ? 'watch' : name === undefined ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
    default:
      return method.toLowerCase();
  }
}

/** `admin` may do everything; `view` reads everything but secrets, and asks what it may do. @throws a 403 failure */
export function authorize(role: Role, verb: string, { kind, namespace, name, subresource }: ResourceRequest): void {
  if (role === 'admin' || kind.verbs || (readVerbs.has(verb) && kind.storage !== 'core/secrets')) return;
  const { group, plural } = kind.type;
  const qualified = `${plural}${group ? `.${group}` : ''}${name === undefined ? '' : ` ${JSON.stringify(name)}`}`;
  const resource = `${plural}${subresource ? `/${subresource}` : ''}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  throw failure(
    403,
    'Forbidden',
    `${qualified} is forbidden: User "${role}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`,
    {
      ...(name === undefined ? {} : { name }),
      ...(group ? { group } : {}),
      kind: plural,
    },
  );
}
