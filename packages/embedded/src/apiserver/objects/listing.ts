import { randomUUID } from 'node:crypto';
import type { KindDefinition } from '../../contracts.ts';
import type { Frozen, ObjectStore } from '../store/object-store.ts';
import { badRequest, expired, failure } from './failures.ts';
import { present } from './stored-object.ts';
import type { ListMeta } from './representation.ts';
import { parseFieldSelector, parseLabelSelector, type Selector } from './selectors.ts';

/** A UUID in Base64. */
const tokenPattern = /^[A-Za-z0-9_-]{48}$/;
/** How long the rest of a list may be asked for. */
const continueForMs = 300_000;
const rememberedLists = 64;

interface Rest {
  objects: Frozen[];
  revision: string;
  until: number;
}

/** Lists of objects, whole or in pages. The pages of one list are of one moment. */
export class Listing {
  readonly #store: ObjectStore;
  /** What is left of lists that were answered in part, by token. */
  readonly #rests = new Map<string, Rest>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  list(kind: KindDefinition, namespace: string | undefined, query: URLSearchParams): { objects: Frozen[]; metadata: ListMeta } {
    const limit = wholeNumber(query, 'limit') ?? 0;
    const token = query.get('continue');
    let objects: Frozen[];
    let revision: string;
    if (token) {
      if (!tokenPattern.test(token)) throw badRequest('continue key is not valid');
      const rest = this.#rests.get(token);
      if (!rest || rest.until < Date.now()) {
        throw expired(
          'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
        );
      }
      ({ objects, revision } = rest);
    } else {
      requireRevision(this.#store, query);
      const selected = selectorOf(kind, query);
      objects = this.#store
        .list(kind.storage, namespace)
        .filter(selected)
        .map((object) => present(kind, object));
      revision = String(this.#store.revision);
    }
    if (limit <= 0 || objects.length <= limit) return { objects, metadata: { resourceVersion: revision } };
    const next = this.#remember({ objects: objects.slice(limit), revision, until: Date.now() + continueForMs });
    return {
      objects: objects.slice(0, limit),
      metadata: { resourceVersion: revision, continue: next, remainingItemCount: objects.length - limit },
    };
  }

  #remember(rest: Rest): string {
    for (const [token, { until }] of this.#rests) if (until < Date.now() || this.#rests.size >= rememberedLists) this.#rests.delete(token);
    const token = Buffer.from(randomUUID()).toString('base64url');
    this.#rests.set(token, rest);
    return token;
  }
}

/** The objects that a request's selectors mean. @throws a 400 failure */
export function selectorOf(kind: KindDefinition, query: URLSearchParams): Selector {
  const labels = query.get('labelSelector');
  const fields = query.get('fieldSelector');
  const selectors = [...(labels ? [parseLabelSelector(labels)] : []), ...(fields ? [parseFieldSelector(kind, fields)] : [])];
  return (object) => selectors.every((selects) => selects(object));
}

/** Only the present is known: an exact moment of the past is not. */
function requireRevision(store: ObjectStore, query: URLSearchParams): void {
  const asked = query.get('resourceVersion');
  if (!asked || asked === '0') return;
  const revision = wholeNumber(query, 'resourceVersion')!;
  if (revision > store.revision) throw tooLarge(revision, store.revision);
  if (query.get('resourceVersionMatch') === 'Exact' && revision < store.revision)
    throw expired(`The resourceVersion for the provided list is too old: ${revision}`);
}

export function tooLarge(asked: number, current: number): Error {
  return failure(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    retryAfterSeconds: 1,
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
  });
}

/** @throws a 400 failure when the parameter is there and no whole number. */
export function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be a whole number`);
  return Number(text);
}
