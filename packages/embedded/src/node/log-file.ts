import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

const chunkBytes = 64 << 10;

/** One file of lines, read from its beginning to wherever it ends now, again and again. */
export class LogFile {
  readonly #descriptor: number;
  readonly #decoder = new StringDecoder('utf8');
  readonly #sizeAtFirst: number;
  #position = 0;
  #rest = '';

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
    this.#sizeAtFirst = fstatSync(descriptor).size;
  }

  /** `undefined` when there is no such file. */
  static open(path: string): LogFile | undefined {
    try {
      return new LogFile(openSync(path, 'r'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Whole lines that were there when it was opened: reading them comes to an end, however much is written meanwhile. */
  firstLines(): Generator<string> {
    return this.#linesUntil(this.#sizeAtFirst);
  }

  /** Whole lines that were written since the last call. */
  newLines(): Generator<string> {
    return this.#linesUntil(Infinity);
  }

  *#linesUntil(end: number): Generator<string> {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    const next = (): number => readSync(this.#descriptor, chunk, 0, Math.min(chunkBytes, end - this.#position), this.#position);
    for (let read; (read = next()) > 0;) {
      this.#position += read;
      const lines = (this.#rest + this.#decoder.write(chunk.subarray(0, read))).split('\n');
      this.#rest = lines.pop()!;
      yield* lines;
    }
  }

  /** Whether `path` names another file by now. */
  isReplaced(path: string): boolean {
    return statSync(path, { throwIfNoEntry: false })?.ino !== fstatSync(this.#descriptor).ino;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
