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
 * An `error` is this stream's alone unless the session itself has failed. A stream may be written before it is attached to a
 * session: the bytes wait.
 */
export class SpdyStream extends Duplex {
  /** Of the SYN_STREAM; names in lower case. */
  readonly headers: SpdyHeaders;
  #id = 0;
  #transport: StreamTransport | undefined;
  /** What was written before there was a session. */
  #pending: (() => void) | undefined;
  #isStalled = false;
  #sentFin = false;
  #receivedFin = false;
  #peerKnows = true;
  #sentBytes = 0;

  constructor(headers: SpdyHeaders) {
    super({ readableHighWaterMark: 256 * 1024, writableHighWaterMark: 128 * 1024 });
    this.headers = headers;
    // A reset that nobody listens for is this stream's end and not the process's.
    this.on('error', () => {});
  }

  /** 0 until the stream is attached. */
  get id(): number {
    return this.#id;
  }

  /** Bytes given to the transport so far. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Called by the session once the stream is announced to the peer, or was by it. */
  attach(id: number, transport: StreamTransport): void {
    this.#id = id;
    this.#transport = transport;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.();
  }

  /** Called by the session with what the peer sent. */
  receive(bytes: Buffer, fin: boolean): void {
    if (this.#receivedFin || this.destroyed) return;
    if (bytes.length > 0) {
      const waits = !this.readableFlowing || this.readableLength > 0;
      const kept = waits && bytes.length < copyLimit ? Buffer.from(bytes) : bytes;
      if (!this.push(kept) && !this.#isStalled && this.readableLength > stallLimit) {
        this.#isStalled = true;
        this.#transport?.stalled(this, true);
      }
    }
    if (!fin) return;
    this.#receivedFin = true;
    this.ended();
  }

  /** Called by the session: the stream is over for the peer, so nothing more is sent. */
  abandon(error: Error): void {
    this.#peerKnows = false;
    this.failAfterReading(error);
  }

  /** Fails the stream once what was received has been read; nobody shall lose what had arrived. */
  protected failAfterReading(error: Error): void {
    if (this.readableLength === 0) {
      this.destroy(error);
    } else if (this.#receivedFin) {
      this.end();
    } else {
      this.#receivedFin = true;
      this.prependOnceListener('end', () => this.destroy(error));
      this.push(null);
    }
  }

  /** The peer's last byte is in the buffer. */
  protected ended(): void {
    this.push(null);
  }

  override _read(): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#transport?.stalled(this, false);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send([chunk], chunk.length, done);
  }

  override _writev(writes: { chunk: Buffer }[], done: () => void): void {
    let length = 0;
    for (const { chunk } of writes) length += chunk.length;
    this.#send(
      writes.map(({ chunk }) => chunk),
      length,
      done,
    );
  }

  override _final(done: () => void): void {
    if (this.#transport === undefined) {
      this.#pending = () => this._final(done);
      return;
    }
    this.#sentFin = true;
    this.#transport.sendData(this.#id, [], true, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#pending = undefined;
    if (this.#isStalled) {
      this.#isStalled = false;
      this.#transport?.stalled(this, false);
    }
    if (this.#peerKnows && !(this.#sentFin && this.#receivedFin)) this.#transport?.sendReset(this.#id, resetStatus.cancel);
    this.#transport?.removed(this);
    done(error);
  }

  #send(chunks: Buffer[], length: number, done: () => void): void {
    const transport = this.#transport;
    if (transport === undefined) {
      this.#pending = () => this.#send(chunks, length, done);
      return;
    }
    this.#sentBytes += length;
    if (length <= dataFrameLimit) {
      transport.sendData(this.#id, chunks, false, done);
      return;
    }
    const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
    const sendFrom = (offset: number): void => {
      if (this.destroyed) return done();
      const end = offset + dataFrameLimit;
      transport.sendData(this.#id, [all.subarray(offset, end)], false, end < length ? () => sendFrom(end) : done);
    };
    sendFrom(0);
  }
}
