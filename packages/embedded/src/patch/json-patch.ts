import { type ApiObject, PatchError } from '../contracts.ts';
import { clone, equal, isObject, own, put, type JsonObject } from './values.ts';

/** As the API server limits it: a patch of small copies must not build an object of gigabytes. */
const copyLimit = 3 * 1024 * 1024;
const operationLimit = 10_000;

interface Operation {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

function pointer(path: string): string[] {
  if (path === '') return [];
  return path
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function parseOperation(raw: unknown): Operation {
  const malformed = (why: string) => new PatchError(400, `error decoding patch: ${why}`);
  if (!isObject(raw)) throw malformed('an operation must be an object');
  const { op, path, from } = raw;
  const isPointer = (value: unknown): value is string => typeof value === 'string' && (value === '' || value.startsWith('/'));
  if (typeof op !== 'string') throw malformed('an operation needs "op"');
  if (!isPointer(path)) throw malformed(`${op} operation needs a "path" that is a JSON pointer`);
  if (!['add', 'remove', 'replace', 'move', 'copy', 'test'].includes(op)) throw new PatchError(422, `Unexpected kind: ${op}`);
  if ((op === 'move' || op === 'copy') && !isPointer(from)) throw malformed(`${op} operation needs a "from" that is a JSON pointer`);
  if ((op === 'add' || op === 'replace') && !Object.hasOwn(raw, 'value')) throw malformed(`${op} operation needs a "value"`);
  return { op, path, from, value: own(raw, 'value') };
}

/** `extra` is 1 where an index may be one past the end. */
function indexOf(list: unknown[], part: string, path: string, operation: string, extra: 0 | 1): number {
  const index = /^(0|[1-9]\d{0,9})$/.test(part) ? Number(part) : -1;
  if (index < 0 || index >= list.length + extra)
    throw new PatchError(
      422,
      `${operation} operation does not apply: doc is missing path: ${JSON.stringify(path)}: invalid index referenced`,
    );
  return index;
}

class Document {
  root: unknown;
  constructor(root: unknown) {
    this.root = root;
  }

  /** The container of what `path` names, and the last part of the path. */
  private container(path: string, operation: string): [JsonObject | unknown[], string] {
    const parts = pointer(path);
    const last = parts.pop();
    if (last === undefined) throw new PatchError(422, `${operation} operation does not apply to the whole object`);
    let at = this.root;
    for (const part of parts) {
      if (Array.isArray(at)) at = at[indexOf(at, part, path, operation, 0)];
      else at = isObject(at) ? own(at, part) : undefined;
    }
    if (!isObject(at) && !Array.isArray(at))
      throw new PatchError(422, `${operation} operation does not apply: doc is missing path: ${JSON.stringify(path)}: missing value`);
    return [at, last];
  }

  /** @returns undefined when there is nothing at `path`; the JSON value otherwise. */
  find(path: string, operation: string): unknown {
    if (path === '') return this.root;
    const [container, last] = this.container(path, operation);
    if (Array.isArray(container)) return container[indexOf(container, last, path, operation, 0)];
    return own(container, last);
  }

  get(path: string, operation: string): unknown {
    const value = this.find(path, operation);
    if (value === undefined) throw new PatchError(422, `${operation} operation does not apply: doc is missing key: ${path}: missing value`);
    return value;
  }

  add(path: string, value: unknown, operation = 'add'): void {
    if (path === '') {
      this.root = value;
      return;
    }
    const [container, last] = this.container(path, operation);
    if (!Array.isArray(container)) put(container, last, value);
    else if (last === '-') container.push(value);
    else container.splice(indexOf(container, last, path, operation, 1), 0, value);
  }

  remove(path: string, operation = 'remove'): void {
    const [container, last] = this.container(path, operation);
    if (Array.isArray(container)) container.splice(indexOf(container, last, path, operation, 0), 1);
    else if (Object.hasOwn(container, last)) delete container[last];
    else throw new PatchError(422, `${operation} operation does not apply: Unable to remove nonexistent key: ${last}: missing value`);
  }

  replace(path: string, value: unknown): void {
    if (path === '') {
      this.root = value;
      return;
    }
    this.get(path, 'replace');
    const [container, last] = this.container(path, 'replace');
    if (Array.isArray(container)) container[indexOf(container, last, path, 'replace', 0)] = value;
    else put(container, last, value);
  }
}

/** RFC 6902. @throws PatchError */
export function jsonPatch(object: ApiObject, patch: unknown): ApiObject {
  if (!Array.isArray(patch)) throw new PatchError(400, 'error decoding patch: a JSON patch is an array of operations');
  if (patch.length > operationLimit)
    throw new PatchError(422, `The allowed maximum operations in a JSON patch is ${operationLimit}, got ${patch.length}`);
  const document = new Document(clone(object));
  let copied = 0;
  for (const operation of patch.map(parseOperation)) {
    const { op, path, from } = operation;
    const value = clone(operation.value);
    if (op === 'add') document.add(path, value);
    else if (op === 'remove') document.remove(path);
    else if (op === 'replace') document.replace(path, value);
    else if (op === 'test') {
      if (!equal(document.find(path, 'test') ?? null, value ?? null))
        throw new PatchError(422, `testing value ${path} failed: test failed`);
    } else if (op === 'move') {
      if (path.startsWith(`${from}/`)) throw new PatchError(422, `move operation does not apply: ${from} cannot move into itself`);
      const moved = document.get(from!, 'move');
      document.remove(from!, 'move');
      document.add(path, moved, 'move');
    } else {
      const source = document.get(from!, 'copy');
      copied += JSON.stringify(source).length;
      if (copied > copyLimit)
        throw new PatchError(
          422,
          `Unable to complete the copy, the accumulated size increase of copy is ${copied}, exceeding the limit ${copyLimit}`,
        );
      document.add(path, clone(source), 'copy');
    }
  }
  if (!isObject(document.root)) throw new PatchError(422, 'the patched document is not an object');
  return document.root as ApiObject;
}
