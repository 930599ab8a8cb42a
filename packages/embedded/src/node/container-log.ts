import { createReadStream, fstatSync, openSync, closeSync, writeSync, renameSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { EventEmitter, once } from 'node:events';
import type { PodLogOptions } from '../contracts.ts';

const rotateAtBytes = 10 << 20;
/** A line that never ends is cut here. */
const longestLine = 16 << 10;

/**
 * The output of one container: `<file>` is what runs now, `<file>.previous` what ran before its last restart. Each stored line begins
 * with its time. A file that grows too large is continued in a new one; one older part is kept as `<file>.1`.
 */
export class ContainerLog {
  readonly #file: string;
  readonly #changed = new EventEmitter().setMaxListeners(0);
  #descriptor: number | undefined;
  #size = 0;
  #partial = '';
  #closed = false;

  constructor(file: string) {
    this.#file = file;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  }

  /** Begins a new run of the container. */
  startRun(): void {
    this.#release();
    if (existsSync(this.#file)) renameSync(this.#file, `${this.#file}.previous`);
    rmSync(`${this.#file}.1`, { force: true });
  }

  append(chunk: string): void {
    const lines = (this.#partial + chunk).split('\n');
    this.#partial = lines.pop()!;
    if (this.#partial.length > longestLine) lines.push(this.#partial.slice(0, longestLine)), (this.#partial = '');
    if (lines.length > 0) this.#write(lines);
  }

  /** Stores an unfinished last line. */
  endRun(): void {
    if (this.#partial) this.#write([this.#partial]);
    this.#partial = '';
  }

  #write(lines: readonly string[]): void {
    const now = new Date().toISOString();
    const text = lines.map((line) => `${now} ${line}\n`).join('');
    try {
      if (this.#size > rotateAtBytes) {
        this.#release();
        renameSync(this.#file, `${this.#file}.1`);
      }
      if (this.#descriptor === undefined) {
        this.#descriptor = openSync(this.#file, 'a', 0o600);
        this.#size = fstatSync(this.#descriptor).size;
      }
      this.#size += writeSync(this.#descriptor, text);
    } catch {
      // A full disk loses output of the container and stops nothing else.
      this.#release();
    }
    this.#changed.emit('change');
  }

  #release(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#size = 0;
  }

  close(): void {
    this.endRun();
    this.#closed = true;
    this.#release();
    this.#changed.emit('change');
  }

  /** @param options selection and form; `follow` ends when the log is closed or the reader goes away. */
  read(options: PodLogOptions): Readable {
    const output = new PassThrough();
    void this.#pump(options, output).then(
      () => output.end(),
      (error: Error) => output.destroy(error),
    );
    return output;
  }

  async #pump(options: PodLogOptions, output: PassThrough): Promise<void> {
    const since = options.sinceTime ? Date.parse(options.sinceTime) : options.sinceSeconds === undefined ? 0 : Date.now() - options.sinceSeconds * 1000;
    let left = options.limitBytes ?? Infinity;
    const send = async (line: string): Promise<boolean> => {
      const space = line.indexOf(' ');
      const text = Buffer.from(`${options.timestamps ? line : line.slice(space + 1)}\n`).subarray(0, left);
      left -= text.length;
      if (output.destroyed) return false;
      if (!output.write(text)) await Promise.race([once(output, 'drain'), once(output, 'close')]).catch(() => undefined);
      return left > 0 && !output.destroyed;
    };
    const stored: string[] = [];
    for (const file of options.previous ? [`${this.#file}.previous`] : [`${this.#file}.1`, this.#file]) {
      for await (const line of linesOf(file, 0)) {
        if (Date.parse(line.slice(0, line.indexOf(' '))) < since) continue;
        stored.push(line);
        if (options.tailLines !== undefined && stored.length > options.tailLines) stored.shift();
      }
    }
    for (const line of stored) if (!(await send(line))) return;
    if (options.follow && !options.previous) await this.#follow(output, send, stored.length > 0 || options.tailLines !== undefined);
  }

  async #follow(output: PassThrough, send: (line: string) => Promise<boolean>, fromEnd: boolean): Promise<void> {
    let position = fromEnd ? this.#size : 0;
    while (!output.destroyed) {
      // The file was continued in a new one.
      if (this.#size < position) position = 0;
      for await (const line of linesOf(this.#file, position)) {
        position += Buffer.byteLength(line) + 1;
        if (!(await send(line))) return;
      }
      if (this.#size > position) continue;
      if (this.#closed) return;
      await Promise.race([once(this.#changed, 'change'), once(output, 'close')]);
    }
  }
}

async function* linesOf(file: string, start: number): AsyncGenerator<string> {
  if (!existsSync(file)) return;
  yield* createInterface({ input: createReadStream(file, { start, encoding: 'utf8' }), crlfDelay: 0 });
}
