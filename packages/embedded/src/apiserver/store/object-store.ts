import { damaged, Database, type Change } from './database.ts';
import type { ApiObject } from '../../contracts.ts';

export interface StoreEvent {
  readonly revision: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly storage: string;
  readonly object: Frozen;
  readonly old: Frozen | undefined;
}

/** An object as it is stored. Nobody may change it: it is shared with every reader. */
export type Frozen = Readonly<ApiObject>;

export interface ObjectKey {
  storage: string;
  namespace: string | undefined;
  name: string;
}

/** Events kept for watches that resume; older revisions are answered with 410. */
const historyLimit = 4_000;

/**
 * Every object of the cluster: in memory for reading, on the disk before a write is answered or seen by anybody. Revisions are one
 * sequence over all objects and never repeat.
 */
export class ObjectStore {
  readonly #database: Database;
  readonly #objects = new Map<string, Map<string, Frozen>>();
  readonly #locks = new Map<string, Promise<unknown>>();
  readonly #subscribers = new Set<(event: StoreEvent) => void>();
  #history: StoreEvent[] = [];
  /** The last revision given out; those up to `revision` are durable. */
  #lastRevision: number;
  #revision: number;
  /** Watches cannot resume from before this. */
  #oldestRevision: number;
  #publishing: Promise<void> = Promise.resolve();
  readonly #waiting: { change: Change; revision: number; resolve(): void; reject(error: Error): void }[] = [];
  #flushing: Promise<void> | undefined;

  private constructor(database: Database, revision: number) {
    this.#database = database;
    this.#revision = this.#lastRevision = this.#oldestRevision = revision;
  }

  /** @throws KipError `locked`, `damaged` or `disk-full` */
  static async open(folder: string): Promise<ObjectStore> {
    const database = await Database.open(folder);
    let revision = 1;
    const loaded: [string, string, Frozen][] = [];
    for await (const [key, value] of database.entries()) {
      if (key === 'revision') {
        revision = Math.max(revision, Number(value));
        continue;
      }
      const object = parseStored(value, folder);
      const [storage, inner] = splitKey(key);
      loaded.push([storage, inner, object]);
      revision = Math.max(revision, Number(object.metadata.resourceVersion));
    }
    const store = new ObjectStore(database, revision);
    for (const [storage, inner, object] of loaded) store.#of(storage).set(inner, object);
    return store;
  }

  get revision(): number {
    return this.#revision;
  }

  #of(storage: string): Map<string, Frozen> {
    let objects = this.#objects.get(storage);
    if (!objects) this.#objects.set(storage, (objects = new Map()));
    return objects;
  }

  find({ storage, namespace, name }: ObjectKey): Frozen | undefined {
    return this.#objects.get(storage)?.get(innerKey(namespace, name));
  }

  /** Sorted by namespace and name. */
  list(storage: string, namespace?: string): Frozen[] {
    const objects = this.#objects.get(storage);
    if (!objects) return [];
    const prefix = namespace === undefined ? '' : `${namespace}/`;
    const found = [...objects].filter(([key]) => key.startsWith(prefix));
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  storages(): string[] {
    return [...this.#objects.keys()];
  }

  /**
   * Changes one object; changes of the same object wait for each other.
   * @param change is given what is stored and returns what shall be: the same to leave it, undefined to remove it. Its
   * resourceVersion is set here.
   * @returns what is stored afterwards, or what was removed.
   * @throws what `change` throws, StorageError
   */
  async update(
    key: ObjectKey,
    change: (current: Frozen | undefined) => Frozen | undefined | Promise<Frozen | undefined>,
  ): Promise<Frozen | undefined> {
    const lock = `${key.storage} ${innerKey(key.namespace, key.name)}`;
    const before = this.#locks.get(lock) ?? Promise.resolve();
    const turn = before.then(() => this.#change(key, change));
    const settled = turn.catch(() => undefined);
    this.#locks.set(lock, settled);
    try {
      return await turn;
    } finally {
      if (this.#locks.get(lock) === settled) this.#locks.delete(lock);
    }
  }

  async #change(
    key: ObjectKey,
    change: (current: Frozen | undefined) => Frozen | undefined | Promise<Frozen | undefined>,
  ): Promise<Frozen | undefined> {
    const current = this.find(key);
    const next = await change(current);
    if (next === current) return current;
    const revision = ++this.#lastRevision;
    const versioned = (object: Frozen): Frozen => ({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
    const object = versioned(next ?? current!);
    const inner = innerKey(key.namespace, key.name);
    const written = this.#write({ key: joinKey(key.storage, inner), value: next ? JSON.stringify(object) : undefined }, revision);
    const published = this.#publishing.then(async () => {
      await written;
      const objects = this.#of(key.storage);
      if (next) objects.set(inner, object);
      else objects.delete(inner);
      this.#revision = revision;
      this.#publish({ revision, type: next ? (current ? 'MODIFIED' : 'ADDED') : 'DELETED', storage: key.storage, object, old: current });
    });
    this.#publishing = published.catch(() => undefined);
    await published;
    return object;
  }

  /** Writes that come together reach the disk together. */
  #write(change: Change, revision: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, revision, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async #flush(): Promise<void> {
    // Whoever writes in this turn comes along.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        // The revision of a removed object is found in no object, so the last one is kept by itself. No two writes have the same.
        await this.#database.write(
          batch.map(({ change }) => change),
          { key: 'revision', value: String(batch.at(-1)!.revision) },
        );
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
      }
    }
    this.#flushing = undefined;
  }

  #publish(event: StoreEvent): void {
    this.#history.push(event);
    if (this.#history.length > historyLimit * 1.25) {
      this.#history = this.#history.slice(-historyLimit);
      this.#oldestRevision = this.#history[0]!.revision - 1;
    }
    for (const subscriber of this.#subscribers) subscriber(event);
  }

  /** @returns the events after `revision`; undefined when they are no longer known. */
  since(revision: number): StoreEvent[] | undefined {
    if (revision < this.#oldestRevision) return undefined;
    let first = this.#history.length;
    while (first > 0 && this.#history[first - 1]!.revision > revision) first--;
    return this.#history.slice(first);
  }

  /** @param subscriber must not throw: it would end the write that it hears of. @returns ends the subscription. */
  subscribe(subscriber: (event: StoreEvent) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  async close(): Promise<void> {
    await Promise.all(this.#locks.values());
    await this.#flushing;
    await this.#database.close();
  }
}

function parseStored(text: string, folder: string): ApiObject {
  try {
    return JSON.parse(text) as ApiObject;
  } catch (error) {
    throw damaged(folder, 'an object cannot be read', error);
  }
}

/** Neither names nor the parts of a storage hold a space. */
function joinKey(storage: string, inner: string): string {
  return `object ${storage} ${inner}`;
}

function splitKey(key: string): [string, string] {
  const [, storage = '', inner = ''] = key.split(' ');
  return [storage, inner];
}

function innerKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}
