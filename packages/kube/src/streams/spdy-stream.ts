import { Duplex } from 'node:stream';
import { resetStatus } from './spdy-frames.ts';
import type { SpdyHeaders } from './spdy-headers.ts';

/** What a stream needs of its session. */
export interface StreamTransport {
  /** Sends one DATA frame made of `chunks`; `done` is called when more may be written. */
  sendData(streamId: number, chunks: readonly Buffer[], fin: boolean, done: () => void): void;
  sendReset(streamId: number, status: number): void;
  /** The stream's buffer has passed its limit, or its reader has caught up. */
  stalled(stream: SpdyStream, isStalled: boolean): void;
  removed(stream: SpdyStream): void;
}

/** The peer has given up this stream alone; the session goes on. */
export class SpdyResetError extends Error {
  override readonly name = 'SpdyResetError';
  readonly code = 'ECONNRESET';
  /** The RST_STREAM's status code. */
  readonly status: number;
  constructor(status: number) {
    super(`the peer reset the stream (status ${status})`);
    this.status = status;
  }
}

/** Bytes that a stream buffers for a reader that is not reading before the whole session stops reading. */
const stallLimit = 1024 * 1024;

/** The largest payload of one DATA frame we send, in bytes: the peer holds a frame in memory, and other streams wait behind it. */
const dataFrameLimit = 256 * 1024;

/** Payloads below this size, in bytes, are copied out of their chunk when they have to wait, lest a few bytes keep 64 KiB alive. */
const copyLimit = 4096;

/**
 * One stream of a {@link SpdySession}. `end()` half-closes it; `destroy()` before both directions have ended resets it at the peer.
 * An `error` is this stream's alone unless the session itself has failed.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  /** Of the SYN_STREAM; names in lower case. */
  readonly headers: SpdyHeaders;
  readonly #transport: StreamTransport;
  #isStalled = false;
  #sentFin = false;
  #receivedFin = false;
  #peerKnows = true;

  constructor(id: number, headers: SpdyHeaders, transport: StreamTransport) {
    super({ readableHighWaterMark: 256 * 1024, writableHighWaterMark: 128 * 1024 });
    this.id = id;
    this.headers = headers;
    this.#transport = transport;
    // A reset that nobody listens for is this stream's end and not the process's.
    this.on('error', () => {});
  }

  /** Called by the session with what the peer sent. */
  receive(bytes: Buffer, fin: boolean): void {
    if (this.#receivedFin || this.destroyed) return;
    if (bytes.length > 0) {
      const waits = !this.readableFlowing || this.readableLength > 0;
      const kept = waits && bytes.length < copyLimit ? Buffer.from(bytes) : bytes;
      if (!this.push(kept) && !this.#isStalled && this.readableLength > stallLimit) {
        this.#isStalled = true;
        this.#transport.stalled(this, true);
      }
    }
    if (!fin) return;
    this.#receivedFin = true;
    this.push(null);
  }

  /** Called by the session: the stream is over for the peer, so nothing more is sent. What it had sent to its end can still be read. */
  abandon(error: Error): void {
    this.#peerKnows = false;
    if (this.#receivedFin && this.readableLength > 0) this.end();
    else this.destroy(error);
  }

  override _read(): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#transport.stalled(this, false);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send([chunk], chunk.length, done);
  }

  override _writev(writes: { chunk: Buffer }[], done: () => void): void {
    let length = 0;
    for (const { chunk } of writes) length += chunk.length;
    this.#send(writes.map(({ chunk }) => chunk), length, done);
  }

  override _final(done: () => void): void {
    this.#sentFin = true;
    this.#transport.sendData(this.id, [], true, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#isStalled) {
      this.#isStalled = false;
      this.#transport.stalled(this, false);
    }
    if (this.#peerKnows && !(this.#sentFin && this.#receivedFin)) this.#transport.sendReset(this.id, resetStatus.cancel);
    this.#transport.removed(this);
    done(error);
  }

  #send(chunks: Buffer[], length: number, done: () => void): void {
    if (length <= dataFrameLimit) {
      this.#transport.sendData(this.id, chunks, false, done);
      return;
    }
    const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
    const sendFrom = (offset: number): void => {
      if (this.destroyed) return done();
      const end = offset + dataFrameLimit;
      this.#transport.sendData(this.id, [all.subarray(offset, end)], false, end < length ? () => sendFrom(end) : done);
    };
    sendFrom(0);
  }
}
