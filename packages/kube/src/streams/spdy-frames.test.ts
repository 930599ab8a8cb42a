import { createDeflate, constants, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dataFrameHeader, FrameReader, goAwayFrame, pingFrame, rstStreamFrame, synReplyFrame, synStreamFrame } from './spdy-frames.ts';
import { HeaderDecoder, HeaderEncoder, spdyDictionary, type SpdyHeaders } from './spdy-headers.ts';

interface Seen {
  data: Map<number, { bytes: string; fin: boolean }>;
  control: string[];
}

/** What a reader makes of `bytes` that arrive cut at `cuts`. */
function read(bytes: Buffer, cuts: number[]): Seen {
  const seen: Seen = { data: new Map(), control: [] };
  const reader = new FrameReader({
    data: (id, piece, fin) => {
      const before = seen.data.get(id) ?? { bytes: '', fin: false };
      seen.data.set(id, { bytes: before.bytes + piece.toString('latin1'), fin: before.fin || fin });
    },
    control: (type, flags, payload) => seen.control.push(`${type} ${flags} ${payload.toString('hex')}`),
  });
  let from = 0;
  for (const cut of [...cuts.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    reader.push(bytes.subarray(from, cut));
    from = cut;
  }
  return seen;
}

const id = fc.integer({ min: 1, max: 9 });
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const frame = fc.oneof(
  fc.tuple(id, bytes, fc.boolean()).map(([stream, payload, fin]) => Buffer.concat([dataFrameHeader(stream, payload.length, fin), payload])),
  fc.tuple(id, bytes).map(([stream, block]) => synStreamFrame(stream, block)),
  fc.tuple(id, bytes).map(([stream, block]) => synReplyFrame(stream, block)),
  fc.tuple(id, id).map(([stream, status]) => rstStreamFrame(stream, status)),
  id.map((ping) => pingFrame(ping)),
  id.map((stream) => goAwayFrame(stream, 0)),
);
const header = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
const headers = fc.dictionary(header, fc.stringMatching(/^[ -~]{0,60}$/), { maxKeys: 6, noNullPrototype: true });

describe('the frame reader', () => {
  it('reads the same frames wherever their bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 8 }), (frames, cuts) => {
        const all = Buffer.concat(frames);
        expect(read(all, cuts)).toEqual(read(all, []));
      }),
    );
  });

  it('reads frames that arrive byte by byte', () => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), (frames) => {
        const all = Buffer.concat(frames);
        expect(read(all, [...all.keys()])).toEqual(read(all, []));
      }),
      { numRuns: 30 },
    );
  });

  it('throws on garbage or reads on, but hands out no byte that did not come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (garbage) => {
        let handedOut = 0;
        const reader = new FrameReader({
          data: (_, piece) => (handedOut += piece.length),
          control: (_, __, payload) => (handedOut += payload.length),
        });
        try {
          reader.push(Buffer.from(garbage));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
        expect(handedOut).toBeLessThanOrEqual(garbage.length);
      }),
    );
  });

  it('refuses a control frame that is too large to be meant', () => {
    expect(() => read(Buffer.from('80030001 00ffffff'.replace(' ', ''), 'hex'), [])).toThrow('too large');
  });
});

describe('header blocks', () => {
  it('are what was written, block after block', () => {
    fc.assert(
      fc.property(fc.array(headers, { minLength: 1, maxLength: 40 }), (blocks) => {
        const [encoder, decoder] = [new HeaderEncoder(), new HeaderDecoder()];
        for (const block of blocks) expect({ ...decoder.decode(encoder.encode(block)) }).toEqual({ ...block });
      }),
      { numRuns: 50 },
    );
  });

  it('are read from a peer that compresses them in one stream', async () => {
    const compressor = createDeflate({ dictionary: spdyDictionary, level: 9 });
    const decoder = new HeaderDecoder();
    let compressed: Buffer[] = [];
    compressor.on('data', (part: Buffer) => compressed.push(part));
    for (let request = 0; request < 600; request++) {
      const expected: SpdyHeaders = {
        streamtype: request % 2 ? 'data' : 'error',
        port: '5432',
        requestid: String(request),
        'x-filler': 'z'.repeat(request % 97),
      };
      const entries = Object.entries(expected)
        .flat()
        .map((text) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]));
      compressor.write(Buffer.concat([Buffer.from([0, 0, 0, 4]), ...entries]));
      await new Promise<void>((flushed) => compressor.flush(constants.Z_SYNC_FLUSH, flushed));
      await new Promise((resolve) => setImmediate(resolve));
      expect({ ...decoder.decode(Buffer.concat(compressed)) }).toEqual(expected);
      compressed = [];
    }
  });

  it('use the dictionary of the specification', () => {
    expect(spdyDictionary.length).toBe(1423);
    expect(deflateSync('', { dictionary: spdyDictionary }).subarray(0, 6).toString('hex')).toBe('78bbe3c6a7c2');
  });

  it('that inflate to far more than headers need are refused', () => {
    const bomb = deflateSync(Buffer.alloc(10_000_000), { dictionary: spdyDictionary, finishFlush: constants.Z_SYNC_FLUSH });
    expect(() => new HeaderDecoder().decode(bomb)).toThrow();
  });

  it('that are garbage are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        try {
          new HeaderDecoder().decode(Buffer.from(garbage));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});
