import { S3Error } from '../errors.ts';

/** Longer than any header of a chunk or trailer. */
const maxLineBytes = 4096;

/** Lines and counted bytes out of a stream, never holding more than what came in one piece and an unfinished line. */
export class ChunkReader {
  readonly #source: AsyncIterator<Buffer>;
  #data: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next line without its end (CR LF). @param orEnd the stream may end instead, which counts as an empty line */
  async line({ orEnd = false } = {}): Promise<string> {
    for (;;) {
      const end = this.#data.indexOf('\r\n');
      if (end > maxLineBytes || (end < 0 && this.#data.length > maxLineBytes)) throw malformed();
      if (end >= 0) {
        const line = this.#data.toString('latin1', 0, end);
        this.#data = this.#data.subarray(end + 2);
        return line;
      }
      const more = await this.#source.next();
      if (more.done) {
        if (orEnd && this.#data.length === 0) return '';
        throw new S3Error('IncompleteBody');
      }
      this.#data = this.#data.length === 0 ? more.value : Buffer.concat([this.#data, more.value]);
    }
  }

  async *bytes(count: number): AsyncIterable<Buffer> {
    for (let left = count; left > 0;) {
      if (this.#data.length === 0) {
        const more = await this.#source.next();
        if (more.done) throw new S3Error('IncompleteBody');
        this.#data = more.value;
      }
      const part = this.#data.subarray(0, left);
      this.#data = this.#data.subarray(part.length);
      left -= part.length;
      if (part.length > 0) yield part;
    }
  }
}

function malformed(): S3Error {
  return new S3Error('BadRequest', { message: 'malformed chunked encoding' });
}
