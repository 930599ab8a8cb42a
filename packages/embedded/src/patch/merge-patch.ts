import { type ApiObject, PatchError } from '../contracts.ts';
import { clone, isObject, own, put, type JsonObject } from './values.ts';

function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return clone(patch);
  const out: JsonObject = isObject(target) ? target : {};
  for (const key of Object.keys(patch)) {
    if (patch[key] === null) delete out[key];
    else put(out, key, merge(own(out, key), patch[key]));
  }
  return out;
}

/** RFC 7386. @throws PatchError */
export function mergePatch(object: ApiObject, patch: unknown): ApiObject {
  if (!isObject(patch)) throw new PatchError(400, 'error decoding patch: a merge patch is an object');
  return merge(clone(object), patch) as ApiObject;
}
