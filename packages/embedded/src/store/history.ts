import type { StoredObject } from './stored-object.ts';

/** One write. A deletion's object is the last state, with the resource version of the deletion. */
export interface Change {
  readonly revision: number;
  readonly key: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: StoredObject;
  readonly previous: StoredObject | undefined;
}

/** The latest changes of one resource, for watches that resume and lists that go on. */
export class History {
  readonly #limit: number;
  #changes: Change[] = [];
  /** Changes up to this revision are forgotten. */
  #compacted: number;

  /**
   * @param compacted the revision that history begins after.
   * @param limit changes kept at least.
   */
  constructor(compacted: number, limit: number) {
    this.#compacted = compacted;
    this.#limit = limit;
  }

  add(change: Change): void {
    this.#changes.push(change);
    // Cut rarely, half at a time: shifting at each write would copy the array each time.
    if (this.#changes.length > 2 * this.#limit) {
      const dropped = this.#changes.splice(0, this.#limit);
      this.#compacted = dropped.at(-1)!.revision;
    }
  }

  /** The changes after `revision`, oldest first; undefined when some of them are forgotten. */
  since(revision: number): Change[] | undefined {
    if (revision < this.#compacted) return undefined;
    const changes = this.#changes;
    let low = 0;
    let high = changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (changes[middle]!.revision > revision) high = middle;
      else low = middle + 1;
    }
    return changes.slice(low);
  }
}
