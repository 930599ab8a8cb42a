import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { httpGet, HttpStatusError, RedirectRefused, shown } from './http-get.ts';

export interface DownloadOptions {
  signal: AbortSignal;
  /** Bytes so far, and of the whole when the server says so. */
  progress?(received: number, total: number | undefined): void;
  /** A server that sends nothing for so long is given up, in ms. */
  stallMs?: number;
  /** Before the second try that brought nothing, in ms; doubled each time. */
  retryMs?: number;
  /** In bytes. What sends more is not what was asked for, and would fill the disk. */
  largest?: number;
}

export type Checksums = Record<'sha256' | 'sha512', string>;

/** Tries in a row that brought no byte. */
const mostIdleTries = 3;
/** Answers that may be others a moment later. https://www.rfc-editor.org/rfc/rfc9110#section-15 */
const passing = new Set([408, 416, 425, 429, 500, 502, 503, 504]);

class TooLarge extends Error {}

/**
 * Writes what an http or https address holds to `file`. A connection that is cut or stalls is taken up where it ended, if the
 * server can, else from the start.
 * @returns the checksums in hex of what was written.
 * @throws with a message that says what answered how.
 */
export async function download(url: URL, file: string, options: DownloadOptions): Promise<Checksums> {
  const { signal, retryMs = 1_000 } = options;
  const handle = await open(file, 'w');
  const copy = new PartialCopy(handle, options);
  try {
    for (let idleTries = 0; ;) {
      const before = copy.received;
      try {
        await copy.continueFrom(url);
        return copy.checksums();
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        idleTries = copy.received > before ? 0 : idleTries + 1;
        if (idleTries >= mostIdleTries) throw error;
        await delay(retryMs * 2 ** idleTries, undefined, { signal });
      }
    }
  } finally {
    await handle.close();
  }
}

/** Whether another try may do better. */
function isPassing(error: unknown): boolean {
  if (error instanceof HttpStatusError) return passing.has(error.status);
  return !(error instanceof RedirectRefused || error instanceof TooLarge || error instanceof LocalWriteError);
}

/** The file system's refusal, as opposed to the network's. */
class LocalWriteError extends Error {
  readonly code: string | undefined;

  constructor(cause: Error) {
    super(cause.message, { cause });
    this.code = (cause as { code?: string }).code;
  }
}

class PartialCopy {
  received = 0;
  readonly #handle: FileHandle;
  readonly #options: DownloadOptions;
  #hashes = newHashes();
  /** By which the server tells whether it still holds the same. */
  #validator: string | undefined;

  constructor(handle: FileHandle, options: DownloadOptions) {
    this.#handle = handle;
    this.#options = options;
  }

  async continueFrom(url: URL): Promise<void> {
    const { signal, stallMs = 60_000, largest = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#validator === undefined) await this.#startOver();
    const resume: Record<string, string> = this.received > 0 ? { range: `bytes=${this.received}-`, 'if-range': this.#validator! } : {};
    const response = await httpGet(url, { headers: resume, signal, answerMs: stallMs }).catch((error: unknown) => {
      if (error instanceof HttpStatusError && error.status === 416) this.#validator = undefined;
      throw error;
    });
    const stall = setTimeout(() => response.destroy(new Error(`${shown(url)} sent nothing more for ${stallMs / 1000} s`)), stallMs);
    const onAbort = (): void => void response.destroy(signal.reason as Error);
    signal.addEventListener('abort', onAbort);
    try {
      if (response.statusCode === 200) await this.#startOver();
      else if (!response.headers['content-range']?.startsWith(`bytes ${this.received}-`)) {
        this.#validator = undefined;
        throw new Error(`${shown(url)} sent another part than was asked for`);
      }
      const { etag, 'content-length': length, 'last-modified': modified } = response.headers;
      this.#validator = etag?.startsWith('W/') ? undefined : (etag ?? modified);
      const total = length === undefined ? undefined : this.received + Number(length);
      const tooLarge = (): TooLarge => new TooLarge(`${shown(url)} holds more than the ${largest} bytes that are expected at most`);
      if (total !== undefined && total > largest) throw tooLarge();
      for await (const chunk of response as AsyncIterable<Buffer>) {
        stall.refresh();
        if (this.received + chunk.length > largest) throw tooLarge();
        await this.#append(chunk);
        this.#options.progress?.(this.received, total);
      }
    } catch (error) {
      if (!response.errored || error !== response.errored || (error as { code?: string }).code !== 'ECONNRESET') throw error;
      throw new Error(`${shown(url)} ended the connection early`, { cause: error });
    } finally {
      clearTimeout(stall);
      signal.removeEventListener('abort', onAbort);
      response.destroy();
    }
  }

  async #append(chunk: Buffer): Promise<void> {
    try {
      for (let written = 0; written < chunk.length;)
        written += (await this.#handle.write(chunk, written, chunk.length - written, this.received + written)).bytesWritten;
    } catch (error) {
      throw new LocalWriteError(error as Error);
    }
    for (const hash of Object.values(this.#hashes)) hash.update(chunk);
    this.received += chunk.length;
  }

  async #startOver(): Promise<void> {
    this.received = 0;
    this.#hashes = newHashes();
    await this.#handle.truncate(0);
  }

  checksums(): Checksums {
    return inHex(this.#hashes);
  }
}

function newHashes(): Record<keyof Checksums, Hash> {
  return { sha256: createHash('sha256'), sha512: createHash('sha512') };
}

/** In hex. */
export async function fileChecksums(file: string, signal: AbortSignal): Promise<Checksums> {
  const hashes = newHashes();
  for await (const chunk of createReadStream(file, { signal })) for (const hash of Object.values(hashes)) hash.update(chunk as Buffer);
  return inHex(hashes);
}

function inHex(hashes: Record<keyof Checksums, Hash>): Checksums {
  return { sha256: hashes.sha256.digest('hex'), sha512: hashes.sha512.digest('hex') };
}
