import type { KindDefinition, ResourceRegistry } from '../../contracts.ts';

/** What a path below `/api/v1` or `/apis/<group>/<version>` names. */
export interface ResourceRequest {
  kind: KindDefinition;
  namespace: string | undefined;
  /** Undefined for the collection. */
  name: string | undefined;
  subresource: string;
  /** The path asks for a watch in the old way, `/watch/`. */
  watch: boolean;
}

/** @returns undefined when nothing is served there. @throws URIError for a path that is no UTF-8. */
export function resourceRequestOf(path: string, registry: ResourceRegistry): ResourceRequest | undefined {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('/'))) return undefined;
  const [root, ...rest] = parts;
  const group = root === 'apis' ? rest.shift() : root === 'api' ? '' : undefined;
  const version = rest.shift();
  if (group === undefined || version === undefined) return undefined;
  const watch = rest[0] === 'watch';
  if (watch) rest.shift();
  let namespace: string | undefined;
  // A namespace's own subresources are not objects in it.
  if (rest[0] === 'namespaces' && rest.length > 2 && !(rest.length === 3 && ['status', 'finalize'].includes(rest[2]!))) {
    namespace = rest[1];
    rest.splice(0, 2);
  }
  const [plural, name, subresource = '', ...more] = rest;
  if (plural === undefined || more.length > 0) return undefined;
  const kind = registry.byPlural(group, version, plural);
  if (
    !kind ||
    (namespace !== undefined && !kind.type.namespaced) ||
    (name !== undefined && kind.type.namespaced && namespace === undefined)
  )
    return undefined;
  return { kind, namespace, name, subresource, watch };
}
