/** Frames of SPDY/3.1: an 8-byte header, then the payload. https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/#2.2-framing */

export const frameType = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goAway: 7, headers: 8, windowUpdate: 9 } as const;

export const flagFin = 1;

/** Status of a RST_STREAM. */
export const resetStatus = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5, internalError: 6 } as const;

/** Status of a GOAWAY. */
export const goAwayStatus = { ok: 0, protocolError: 1 } as const;

const frameHeaderSize = 8;
const version = 3;
const emptyPayload = Buffer.alloc(0);

/** Payload that a control frame may have, in bytes; header blocks are the largest and Kubernetes' are below 200. */
const controlFrameLimit = 64 * 1024;

export interface FrameHandler {
  /** A piece of a DATA frame, a view into the chunk that was pushed. `fin`: the sender's last byte on this stream. */
  data(streamId: number, bytes: Buffer, fin: boolean): void;
  control(type: number, flags: number, payload: Buffer): void;
}

/** Cuts a byte stream into frames, wherever its chunks are cut. Payloads of DATA frames are handed on as they come, uncopied. */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #partialHeader = Buffer.allocUnsafe(frameHeaderSize);
  #headerLength = 0;
  #first = 0;
  #flags = 0;
  /** Payload bytes of the current frame that are yet to come. */
  #left = 0;
  #inPayload = false;
  /** A control frame's payload that comes in pieces, and how much of it is there. */
  #control: Buffer | undefined;
  #controlLength = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** @throws on a frame that SPDY/3.1 does not allow; the reader is of no use then. */
  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (!this.#inPayload) {
        if (this.#headerLength === 0 && chunk.length - offset >= frameHeaderSize) {
          this.#startFrame(chunk, offset);
          offset += frameHeaderSize;
        } else {
          const copied = chunk.copy(this.#partialHeader, this.#headerLength, offset, offset + frameHeaderSize - this.#headerLength);
          offset += copied;
          this.#headerLength += copied;
          if (this.#headerLength < frameHeaderSize) return;
          this.#headerLength = 0;
          this.#startFrame(this.#partialHeader, 0);
        }
        if (this.#left > 0) continue;
        this.#payload(emptyPayload);
      } else {
        const end = Math.min(chunk.length, offset + this.#left);
        this.#left -= end - offset;
        const piece = offset === 0 && end === chunk.length ? chunk : chunk.subarray(offset, end);
        offset = end;
        this.#payload(piece);
      }
    }
  }

  #startFrame(bytes: Buffer, offset: number): void {
    this.#first = bytes.readUInt32BE(offset);
    const second = bytes.readUInt32BE(offset + 4);
    this.#flags = second >>> 24;
    this.#left = second & 0xffffff;
    this.#inPayload = true;
    if (this.#first < 0x80000000) return;
    if (((this.#first >>> 16) & 0x7fff) !== version) throw new Error(`version ${(this.#first >>> 16) & 0x7fff} of SPDY is not supported`);
    if (this.#left > controlFrameLimit) throw new Error(`a control frame of ${this.#left} bytes is too large`);
  }

  #payload(piece: Buffer): void {
    const complete = this.#left === 0;
    if (complete) this.#inPayload = false;
    if (this.#first < 0x80000000) {
      this.#handler.data(this.#first, piece, complete && (this.#flags & flagFin) !== 0);
      return;
    }
    if (this.#control === undefined && complete) {
      this.#handler.control(this.#first & 0xffff, this.#flags, piece);
      return;
    }
    this.#control ??= Buffer.allocUnsafe(piece.length + this.#left);
    this.#controlLength += piece.copy(this.#control, this.#controlLength);
    if (!complete) return;
    const payload = this.#control;
    this.#control = undefined;
    this.#controlLength = 0;
    this.#handler.control(this.#first & 0xffff, this.#flags, payload);
  }
}

/** The header of a DATA frame whose payload of `length` bytes (below 2^24) follows. */
export function dataFrameHeader(streamId: number, length: number, fin: boolean): Buffer {
  const header = Buffer.allocUnsafe(frameHeaderSize);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE((fin ? flagFin * 0x1000000 : 0) + length, 4);
  return header;
}

export function synStreamFrame(streamId: number, headerBlock: Buffer): Buffer {
  const fields = Buffer.alloc(10);
  fields.writeUInt32BE(streamId, 0);
  return controlFrame(frameType.synStream, 0, fields, headerBlock);
}

export function synReplyFrame(streamId: number, headerBlock: Buffer): Buffer {
  return controlFrame(frameType.synReply, 0, words(streamId), headerBlock);
}

export function rstStreamFrame(streamId: number, status: number): Buffer {
  return controlFrame(frameType.rstStream, 0, words(streamId, status));
}

export function pingFrame(id: number): Buffer {
  return controlFrame(frameType.ping, 0, words(id));
}

export function goAwayFrame(lastStreamId: number, status: number): Buffer {
  return controlFrame(frameType.goAway, 0, words(lastStreamId, status));
}

function controlFrame(type: number, flags: number, ...payload: Buffer[]): Buffer {
  const body = Buffer.concat(payload);
  return Buffer.concat([words(0x80000000 + version * 0x10000 + type, flags * 0x1000000 + body.length), body]);
}

function words(...values: number[]): Buffer {
  const buffer = Buffer.allocUnsafe(values.length * 4);
  values.forEach((value, index) => buffer.writeUInt32BE(value, index * 4));
  return buffer;
}
