import type { Duplex } from 'node:stream';
import {
  dataFrameHeader,
  FrameReader,
  frameType,
  goAwayFrame,
  goAwayStatus,
  flagFin,
  pingFrame,
  resetStatus,
  rstStreamFrame,
  synReplyFrame,
  synStreamFrame,
} from './spdy-frames.ts';
import { HeaderDecoder, HeaderEncoder, type SpdyHeaders } from './spdy-headers.ts';
import { SpdyResetError, SpdyStream, type StreamTransport } from './spdy-stream.ts';

export interface SpdySessionOptions {
  /** Which of the two ends this is: the server's stream ids are even. */
  server: boolean;
  /**
   * A stream that the peer opened. It is accepted when this returns; destroying it here refuses it. Without this every stream
   * of the peer's is refused.
   */
  onStream?(stream: SpdyStream): void;
  /** Called once, when the session is over. `error`: why, unless either side closed it in good order. */
  onClose?(error: Error | undefined): void;
}

/** Bytes that wait in the transport before writers are held back. */
const writeLimit = 512 * 1024;

/** Streams that the peer may have open at once. */
const peerStreamLimit = 8192;

/** How long a client waits for a server that does not read what was written before the session was closed, in ms. */
const farewellMs = 5_000;

const lastStreamId = 0x7fffffff;

/** A SPDY/3.1 session over `transport`, for either end. The transport belongs to the session from now on. */
export function createSpdySession(transport: Duplex, options: SpdySessionOptions): SpdySession {
  return new SpdySession(transport, options);
}

/**
 * Many streams over one connection, as Kubernetes uses SPDY/3.1: its servers neither send nor heed WINDOW_UPDATE, so there is no
 * flow control for one stream alone. A stream whose reader is not reading is buffered up to a limit; then the session stops
 * reading its transport ({@link stalled}) until that reader goes on, and the peer is held back by TCP.
 */
export class SpdySession {
  readonly #transport: Duplex;
  readonly #options: SpdySessionOptions;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #stalledStreams = new Set<SpdyStream>();
  readonly #encoder = new HeaderEncoder();
  readonly #decoder = new HeaderDecoder();
  readonly #waitingWriters: (() => void)[] = [];
  readonly #pings = new Map<number, () => void>();
  readonly #reader: FrameReader;
  readonly #streamTransport: StreamTransport;
  #nextStreamId: number;
  #nextPingId: number;
  #lastPeerStreamId = 0;
  #corked = false;
  #draining = false;
  #closed = false;
  #received = 0;

  constructor(transport: Duplex, options: SpdySessionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#nextStreamId = options.server ? 2 : 1;
    this.#nextPingId = this.#nextStreamId;
    this.#streamTransport = {
      sendData: (id, chunks, fin, done) => this.#sendData(id, chunks, fin, done),
      sendReset: (id, status) => this.#send(rstStreamFrame(id, status)),
      stalled: (stream, isStalled) => this.#setStalled(stream, isStalled),
      removed: (stream) => this.#streams.delete(stream.id),
    };
    this.#reader = new FrameReader({
      data: (id, bytes, fin) => this.#streams.get(id)?.receive(bytes, fin),
      control: (type, flags, payload) => this.#control(type, flags, payload),
    });
    transport.on('data', (chunk: Buffer) => this.#push(chunk));
    transport.on('drain', () => this.#drained());
    transport.on('end', () => this.destroy(this.#draining ? undefined : new Error('the peer ended the connection')));
    transport.on('error', (error) => this.destroy(error));
    transport.on('close', () => this.destroy(this.#draining ? undefined : new Error('the connection was closed')));
  }

  /** Whether new streams can be opened. */
  get open(): boolean {
    return !this.#closed && !this.#draining && this.#nextStreamId <= lastStreamId;
  }

  /** Whether a reader that does not read keeps the whole session from reading. */
  get stalled(): boolean {
    return this.#stalledStreams.size > 0;
  }

  /** Whether the peer keeps this end from writing. */
  get blocked(): boolean {
    return this.#waitingWriters.length > 0;
  }

  /** Streams open at present. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Streams this end has opened so far. */
  get openedStreams(): number {
    return this.#nextStreamId >> 1;
  }

  /** Bytes received so far: a change is a sign of life. */
  get receivedBytes(): number {
    return this.#received;
  }

  /** Opens a stream. It may be written at once; the peer's refusal surfaces as the stream's error. @throws when the session is not {@link open}. */
  createStream(headers: SpdyHeaders): SpdyStream {
    const stream = new SpdyStream(headers);
    this.openStream(stream);
    return stream;
  }

  /** Opens a stream that was made before. @throws like {@link createStream}. */
  openStream(stream: SpdyStream): void {
    if (!this.open) throw new Error('the session takes no new streams');
    const id = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.#streams.set(id, stream);
    this.#send(synStreamFrame(id, this.#encoder.encode(stream.headers)));
    stream.attach(id, this.#streamTransport);
  }

  /** Resolves when the peer has answered; never, when the session ends first. */
  ping(): Promise<void> {
    const id = this.#nextPingId;
    this.#nextPingId = id + 2 > lastStreamId ? id % 2 || 2 : id + 2;
    return new Promise((resolve) => {
      this.#pings.set(id, resolve);
      this.#send(pingFrame(id));
    });
  }

  /** Says goodbye and ends every stream and the transport. */
  close(): void {
    if (this.#closed) return;
    this.#draining = true;
    this.#send(goAwayFrame(this.#lastPeerStreamId, goAwayStatus.ok));
    this.#uncork();
    this.#transport.end();
    this.destroy();
  }

  /** Ends every stream with `error` and drops the transport. */
  destroy(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pings.clear();
    for (const stream of this.#streams.values()) stream.abandon(error ?? new Error('the connection was closed'));
    this.#streams.clear();
    this.#stalledStreams.clear();
    for (const done of this.#waitingWriters.splice(0)) done();
    // What was written before a clean close still goes out; the peer's answer to it is of no interest.
    if (error === undefined && this.#transport.writableEnded) {
      this.#transport.resume();
      this.#transport.once('finish', () => this.#transport.destroy());
      if (!this.#options.server) {
        // A server has to wait: its last bytes may be a command's output, and the reader a person.
        const timer = setTimeout(() => this.#transport.destroy(), farewellMs).unref();
        this.#transport.once('close', () => clearTimeout(timer));
      }
    } else {
      this.#transport.destroy();
    }
    this.#options.onClose?.(error);
  }

  #push(chunk: Buffer): void {
    if (this.#closed) return;
    this.#received += chunk.length;
    try {
      this.#reader.push(chunk);
    } catch (cause) {
      this.#send(goAwayFrame(this.#lastPeerStreamId, goAwayStatus.protocolError));
      this.#uncork();
      this.destroy(new Error(`the peer does not speak SPDY/3.1: ${(cause as Error).message}`, { cause }));
    }
  }

  #control(type: number, flags: number, payload: Buffer): void {
    switch (type) {
      case frameType.synStream:
        return this.#peerOpens(payload, flags);
      case frameType.synReply:
        // Kubernetes says nothing in replies, but the headers' compression runs through all blocks.
        this.#decoder.decode(payload.subarray(4));
        if (flags & flagFin) this.#streams.get(streamIdOf(payload))?.receive(Buffer.alloc(0), true);
        return;
      case frameType.headers:
        this.#decoder.decode(payload.subarray(4));
        if (flags & flagFin) this.#streams.get(streamIdOf(payload))?.receive(Buffer.alloc(0), true);
        return;
      case frameType.rstStream: {
        if (payload.length < 8) throw new Error('a RST_STREAM is cut short');
        this.#streams.get(streamIdOf(payload))?.abandon(new SpdyResetError(payload.readUInt32BE(4)));
        return;
      }
      case frameType.ping: {
        if (payload.length < 4) throw new Error('a PING is cut short');
        const id = payload.readUInt32BE(0);
        if (id % 2 !== this.#nextPingId % 2) this.#send(pingFrame(id));
        else {
          this.#pings.get(id)?.();
          this.#pings.delete(id);
        }
        return;
      }
      case frameType.goAway:
        this.#draining = true;
        return;
      case frameType.settings:
      case frameType.windowUpdate:
        return;
      default:
        throw new Error(`there is no control frame of type ${type}`);
    }
  }

  #peerOpens(payload: Buffer, flags: number): void {
    if (payload.length < 10) throw new Error('a SYN_STREAM is cut short');
    const id = streamIdOf(payload);
    const headers = this.#decoder.decode(payload.subarray(10));
    if (id <= this.#lastPeerStreamId || id % 2 === (this.#options.server ? 0 : 1)) throw new Error(`stream ${id} may not be opened`);
    this.#lastPeerStreamId = id;
    if (this.#options.onStream === undefined || this.#draining || this.#streams.size >= peerStreamLimit) {
      this.#send(rstStreamFrame(id, resetStatus.refusedStream));
      return;
    }
    const stream = new SpdyStream(headers);
    stream.attach(id, this.#streamTransport);
    this.#streams.set(id, stream);
    this.#options.onStream(stream);
    if (!stream.destroyed) this.#send(synReplyFrame(id, this.#encoder.encode({})));
    if (flags & flagFin) stream.receive(Buffer.alloc(0), true);
  }

  #sendData(id: number, chunks: readonly Buffer[], fin: boolean, done: () => void): void {
    if (this.#closed) return done();
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    this.#send(dataFrameHeader(id, length, fin));
    for (const chunk of chunks) this.#transport.write(chunk);
    if (this.#transport.writableLength > writeLimit) this.#waitingWriters.push(done);
    else done();
  }

  /** Frames written in one turn of the event loop leave in one write. */
  #send(frame: Buffer): void {
    if (this.#closed || !this.#transport.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#transport.cork();
      process.nextTick(() => this.#uncork());
    }
    this.#transport.write(frame);
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#transport.uncork();
  }

  #drained(): void {
    for (const done of this.#waitingWriters.splice(0)) done();
  }

  #setStalled(stream: SpdyStream, isStalled: boolean): void {
    if (this.#closed) return;
    if (isStalled) this.#stalledStreams.add(stream);
    else this.#stalledStreams.delete(stream);
    if (this.stalled) this.#transport.pause();
    else this.#transport.resume();
  }
}

function streamIdOf(payload: Buffer): number {
  if (payload.length < 4) throw new Error('a control frame is cut short');
  return payload.readUInt32BE(0) & lastStreamId;
}
