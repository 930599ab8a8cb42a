import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';

/** What every Kubernetes object has. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

/**
 * One kind of Kubernetes resource as its REST API names it. `T` is the type of its objects; it exists for the compiler only.
 */
export interface ResourceType<T extends KubeObject = KubeObject> {
  /** API group; the empty string for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The name in the path, for example `statefulsets`. */
  readonly plural: string;
  readonly namespaced: boolean;
  /** Never set: carries `T`. */
  readonly object?: T;
}

/** The `apiVersion` of a resource type's objects, for example `apps/v1` or `v1`. */
export function apiVersionOf(type: ResourceType): string {
  return type.group ? `${type.group}/${type.version}` : type.version;
}
