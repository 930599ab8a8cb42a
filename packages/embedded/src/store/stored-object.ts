import type { ApiObject } from '../contracts.ts';

/** An object as it is kept: nobody may change it. */
export class StoredObject {
  readonly object: ApiObject;
  readonly revision: number;
  /** As on disk, and as most answers carry it. */
  readonly json: string;

  constructor(object: ApiObject, json: string) {
    this.object = object;
    this.revision = Number(object.metadata.resourceVersion);
    this.json = json;
  }

  /** A copy that may be changed. */
  clone(): ApiObject {
    return JSON.parse(this.json) as ApiObject;
  }
}

/** `namespace/name`, or `/name` for what has no namespace. Names hold no slash, so keys sort by namespace, then name. */
export function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}
