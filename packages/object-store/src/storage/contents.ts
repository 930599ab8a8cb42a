import type { Blobs } from './blobs.ts';
import { readBuffers, readRange } from './blobs.ts';
import type { Change, IndexDatabase } from './index-database.ts';
import { decode, encode, keys, type Content, type Segment } from './records.ts';

/** Up to here the index holds an object's bytes itself: one flush of the disk instead of three. In bytes. */
export const inlineLimit = 16 << 10;

/** Bytes that were written and are durable, or will be with the changes that name them. */
export interface Stored {
  content: Content;
  size: number;
  /** To be part of the commit that makes the object known. */
  changes: Change[];
  /** Files to be freed when that commit fails. */
  blobs: string[];
}

const empty = Buffer.alloc(0);

/** The bytes of objects, wherever they are. */
export class Contents {
  readonly #index: IndexDatabase;
  readonly #blobs: Blobs;

  constructor(index: IndexDatabase, blobs: Blobs) {
    this.#index = index;
    this.#blobs = blobs;
  }

  async store(source: AsyncIterable<Buffer>): Promise<Stored> {
    const iterator = source[Symbol.asyncIterator]();
    const head: Buffer[] = [];
    let size = 0;
    for (;;) {
      const next = await iterator.next();
      if (next.done) return this.#inline(Buffer.concat(head));
      head.push(next.value);
      size += next.value.length;
      if (size > inlineLimit) break;
    }
    const id = this.#blobs.newId();
    const whole = (async function* () {
      yield* head.splice(0);
      yield* { [Symbol.asyncIterator]: () => iterator };
    })();
    return this.#file(id, await this.#blobs.write(id, whole));
  }

  /** Always as a file: parts become segments of objects. */
  async storeFile(source: AsyncIterable<Buffer>): Promise<Stored> {
    const id = this.#blobs.newId();
    return this.#file(id, await this.#blobs.write(id, source));
  }

  /** The same bytes once more, without copying them. @returns undefined when that cannot be */
  async duplicate(content: Content, size: number): Promise<Stored | undefined> {
    if (content.kind === 'inline') {
      const data = await this.#index.get(keys.inline(content.id));
      return data && this.#inline(data);
    }
    if (content.kind === 'parts') return undefined;
    const id = this.#blobs.newId();
    return (await this.#blobs.link(content.id, id)) ? this.#file(id, size) : undefined;
  }

  /** Gives up what was stored and is not going to be an object. */
  discard({ blobs }: Stored): void {
    this.#blobs.free(blobs);
  }

  /** Makes one object of files that are there already. */
  join(segments: readonly Segment[]): Content & { changes: Change[] } {
    const id = this.#blobs.newId();
    return { kind: 'parts', id, changes: [{ key: keys.segments(id), value: encode(segments) }] };
  }

  /** What has to change for the index to forget it, and the files to free after that. */
  async forget(content: Content): Promise<{ changes: Change[]; blobs: string[] }> {
    if (content.kind === 'inline') return { changes: content.id === '' ? [] : [{ key: keys.inline(content.id) }], blobs: [] };
    if (content.kind === 'file') return { changes: [{ key: keys.blob(content.id) }], blobs: [content.id] };
    const blobs = (await this.segments(content, 0)).map(({ id }) => id).filter((id) => id !== '');
    return { changes: [{ key: keys.segments(content.id) }, ...blobs.map((id) => ({ key: keys.blob(id) }))], blobs };
  }

  async segments(content: Content, size: number): Promise<Segment[]> {
    if (content.kind === 'file') return [{ id: content.id, size }];
    const value = content.kind === 'parts' ? await this.#index.get(keys.segments(content.id)) : undefined;
    return value ? decode<Segment[]>(value) : [];
  }

  /**
   * Opens an object's bytes for reading; what is open stays readable whatever happens to the object.
   * @returns undefined when they are gone by now: the caller looks the object up again
   */
  async open(content: Content, size: number): Promise<OpenContent | undefined> {
    if (content.kind === 'inline') {
      const data = content.id === '' ? empty : await this.#index.get(keys.inline(content.id));
      const read = (start: number, length: number) => once(data!.subarray(start, start + length));
      return data && { segments: [], read, stream: read, close: async () => {} };
    }
    const segments = await this.segments(content, size);
    const ids = segments.map(({ id }) => id).filter((id) => id !== '');
    if (segments.length === 0 || !this.#blobs.pin(ids)) return undefined;
    const opening = ids.length > 0 ? this.#blobs.open(ids[0]!) : undefined;
    const first = await opening?.catch((error: NodeJS.ErrnoException) => {
      this.#blobs.unpin(ids);
      return ifGone(error);
    });
    if (opening && !first) return undefined;
    return {
      segments,
      read: (start, length) => this.#read(segments, start, length, false),
      stream: (start, length) => this.#read(segments, start, length, true),
      close: async () => {
        await first?.close();
        this.#blobs.unpin(ids);
      },
    };
  }

  async *#read(segments: readonly Segment[], start: number, length: number, reuse: boolean): AsyncIterable<Buffer> {
    let offset = start;
    let left = length;
    for (const { id, size } of segments) {
      if (left === 0) return;
      if (offset >= size) {
        offset -= size;
        continue;
      }
      const count = Math.min(left, size - offset);
      const file = await this.#blobs.open(id);
      try {
        yield* readRange(file, offset, count, reuse ? readBuffers(count) : undefined);
      } finally {
        await file.close();
      }
      left -= count;
      offset = 0;
    }
  }

  #inline(data: Buffer): Stored {
    // Folders and marks of "done" are often empty: they need no entry of their own.
    const id = data.length === 0 ? '' : this.#blobs.newId();
    return {
      content: { kind: 'inline', id },
      size: data.length,
      changes: id === '' ? [] : [{ key: keys.inline(id), value: data }],
      blobs: [],
    };
  }

  #file(id: string, size: number): Stored {
    return { content: { kind: 'file', id }, size, changes: [{ key: keys.blob(id), value: empty }], blobs: [id] };
  }
}

export interface OpenContent {
  /** The parts that it was uploaded in; none for what the index holds. */
  segments: readonly Segment[];
  read(start: number, length: number): AsyncIterable<Buffer>;
  /** As `read`, but a piece is overwritten once the next but one is asked for. */
  stream(start: number, length: number): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

async function* once(data: Buffer): AsyncIterable<Buffer> {
  if (data.length > 0) yield data;
}

function ifGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
