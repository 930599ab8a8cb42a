import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PassThrough, type Readable } from 'node:stream';
import { EventEmitter } from 'node:events';
import type { PodLogOptions } from '../contracts.ts';
import { LogFile } from './log-file.ts';

const rotateAtBytes = 10 << 20;
/** A line that never ends is cut here, in characters. */
const longestLine = 16 << 10;
/** As many stored lines are read at a time before others have their turn. */
const linesInTurn = 2_000;

/**
 * The output of one container: `<file>` is what runs now, `<file>.previous` what ran before its last restart. Each stored line begins
 * with its time. A file that grows too large is continued in a new one; one older part is kept as `<file>.1`.
 */
export class ContainerLog {
  readonly #file: string;
  readonly #rotateAtBytes: number;
  readonly #changed = new EventEmitter().setMaxListeners(0);
  #descriptor: number | undefined;
  #size = 0;
  /** Unfinished last lines, one for each stream: the two must not be mixed within a line. */
  readonly #partial = new Map<string, string>();
  /** Counts the runs of the container in this process; a follower ends with its run. */
  #run = 0;
  #running = false;

  constructor(file: string, options: { rotateAtBytes?: number } = {}) {
    this.#file = file;
    this.#rotateAtBytes = options.rotateAtBytes ?? rotateAtBytes;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  }

  /** Begins a new run of the container; what there was becomes the previous one. */
  startRun(): void {
    this.#release();
    try {
      if (existsSync(this.#file)) renameSync(this.#file, `${this.#file}.previous`);
      rmSync(`${this.#file}.1`, { force: true });
    } catch {
      // The log of before stays in front of this one.
    }
    this.#run += 1;
    this.#running = true;
    this.#changed.emit('change');
  }

  append(stream: string, chunk: string): void {
    const lines = ((this.#partial.get(stream) ?? '') + chunk).split('\n');
    let rest = lines.pop()!;
    while (rest.length > longestLine) {
      lines.push(rest.slice(0, longestLine));
      rest = rest.slice(longestLine);
    }
    this.#partial.set(stream, rest);
    if (lines.length > 0) this.#write(lines);
  }

  /** Stores unfinished last lines; who follows has seen everything. */
  endRun(): void {
    const rest = [...this.#partial.values()].filter((line) => line !== '');
    this.#partial.clear();
    if (rest.length > 0) this.#write(rest);
    this.#running = false;
    this.#release();
    this.#changed.emit('change');
  }

  #write(lines: readonly string[]): void {
    const now = new Date().toISOString();
    const text = lines.map((line) => `${now} ${line}\n`).join('');
    try {
      if (this.#size > this.#rotateAtBytes) {
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

  /** @param options selection and form; `follow` ends with the run of the container or when the reader goes away. */
  read(options: PodLogOptions): Readable {
    const output = new PassThrough();
    this.#pump(options, output).then(
      () => output.end(),
      (error: Error) => output.destroy(error),
    );
    return output;
  }

  async #pump(options: PodLogOptions, output: PassThrough): Promise<void> {
    const run = this.#run;
    const since = options.sinceTime
      ? Date.parse(options.sinceTime)
      : options.sinceSeconds === undefined
        ? 0
        : Date.now() - options.sinceSeconds * 1000;
    let left = options.limitBytes ?? Infinity;
    const send = async (line: string): Promise<boolean> => {
      const text = Buffer.from(`${options.timestamps ? line : line.slice(line.indexOf(' ') + 1)}\n`).subarray(0, left);
      left -= text.length;
      if (output.destroyed) return false;
      if (!output.write(text)) await first([output, 'drain'], [output, 'close']);
      return left > 0 && !output.destroyed;
    };
    const isWanted = (line: string): boolean => since === 0 || !(Date.parse(line.slice(0, line.indexOf(' '))) < since);

    let older: LogFile | undefined;
    let current: LogFile | undefined;
    try {
      // Opened at once and read through the descriptors, so that a rotation meanwhile loses and repeats nothing.
      older = LogFile.open(options.previous ? `${this.#file}.previous` : `${this.#file}.1`);
      current = options.previous ? undefined : LogFile.open(this.#file);
      const { tailLines } = options;
      const tail: string[] = [];
      let count = 0;
      for (const file of [older, current]) {
        for (const line of file?.firstLines() ?? []) {
          if (++count % linesInTurn === 0) await nextTurn();
          if (output.destroyed) return;
          if (!isWanted(line)) continue;
          if (tailLines === undefined) {
            if (!(await send(line))) return;
            continue;
          }
          tail.push(line);
          // Seldom and many at once: each time moves the whole rest.
          if (tail.length > 2 * tailLines) tail.splice(0, tail.length - tailLines);
        }
      }
      if (tailLines !== undefined) tail.splice(0, tail.length - tailLines);
      for (const line of tail) if (!(await send(line))) return;
      if (!options.follow || options.previous) return;
      while (!output.destroyed) {
        const ended = !this.#running || this.#run !== run;
        // Nothing is written between this and the wait below: there is no await without progress.
        let progress = false;
        for (const line of current?.newLines() ?? []) {
          progress = true;
          if (!(await send(line))) return;
        }
        if (progress) continue;
        if (!current || current.isReplaced(this.#file)) {
          const next = this.#run === run ? LogFile.open(this.#file) : undefined;
          if (next) {
            current?.close();
            current = next;
            continue;
          }
        }
        if (ended) return;
        await first([this.#changed, 'change'], [output, 'close']);
      }
    } finally {
      older?.close();
      current?.close();
    }
  }
}

/** Resolves with the first of the events. Leaves no listener behind. */
function first(...events: [EventEmitter, string][]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const [emitter, name] of events) emitter.off(name, done);
      resolve();
    };
    for (const [emitter, name] of events) emitter.on(name, done);
  });
}
