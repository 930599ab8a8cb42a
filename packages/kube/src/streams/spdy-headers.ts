import { inflateRawSync, constants } from 'node:zlib';

/**
 * Header blocks of SPDY/3.1: name and value pairs in one zlib stream per direction, which starts from a preset dictionary and
 * is flushed after every block. https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/#2.6.10-name-value-header-block
 */

export type SpdyHeaders = Record<string, string>;

/** Uncompressed size that a peer's header block may have, in bytes. Kubernetes' are below 200. */
const headerBlockLimit = 64 * 1024;

/** Deflate looks back no further than this, in bytes. */
const windowSize = 32 * 1024;

/** Bytes a stored deflate block holds. */
const storedBlockLimit = 0xffff;

const dictionaryNames = [
  'options',
  'head',
  'post',
  'put',
  'delete',
  'trace',
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'accept-ranges',
  'age',
  'allow',
  'authorization',
  'cache-control',
  'connection',
  'content-base',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expect',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'server',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'vary',
  'via',
  'warning',
  'www-authenticate',
  'method',
  'get',
  'status',
  '200 OK',
  'version',
  'HTTP/1.1',
  'url',
  'public',
  'set-cookie',
  'keep-alive',
  'origin',
];

const dictionaryText =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found' +
  '500 Internal Server Error501 Not Implemented503 Service Unavailable' +
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT' +
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,' +
  'publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

/** The preset dictionary of SPDY/3, 1423 bytes. */
export const spdyDictionary = Buffer.concat([
  ...dictionaryNames.map((name) => lengthPrefixed(name)),
  Buffer.from(dictionaryText, 'latin1'),
]);

/** Zlib header: deflate, 32 KiB window, preset dictionary, and the dictionary's Adler-32. */
const zlibHeader = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]);

/** An empty stored block, the mark of a flush: Go's inflater hands out what it has only then. */
const flushMark = Buffer.from([0, 0, 0, 0xff, 0xff]);

/**
 * Writes header blocks as stored (uncompressed) deflate blocks. Every inflater reads them, they need no compressor's 256 KiB a
 * session, and they leak nothing through their length; the price is about 80 bytes a stream.
 */
export class HeaderEncoder {
  #started = false;

  encode(headers: SpdyHeaders): Buffer {
    const block = headerBlock(headers);
    const parts: Buffer[] = this.#started ? [] : [zlibHeader];
    this.#started = true;
    for (let offset = 0; offset < block.length; offset += storedBlockLimit) {
      const stored = block.subarray(offset, offset + storedBlockLimit);
      const prefix = Buffer.alloc(5);
      prefix.writeUInt16LE(stored.length, 1);
      prefix.writeUInt16LE(~stored.length & 0xffff, 3);
      parts.push(prefix, stored);
    }
    return Buffer.concat([...parts, flushMark]);
  }
}

/**
 * Reads header blocks. A flushed block ends on a byte boundary, so each one is inflated on its own with the text before it as
 * the dictionary: synchronous, and no native state to release.
 */
export class HeaderDecoder {
  #started = false;
  #window: Buffer = spdyDictionary;

  /** @throws when the block is not what SPDY/3.1 allows. */
  decode(compressed: Buffer): SpdyHeaders {
    let raw = compressed;
    if (!this.#started) {
      if (raw.length < 2 || (raw[0]! & 0x0f) !== 8 || raw.readUInt16BE(0) % 31 !== 0)
        throw new Error('the header block is not a zlib stream');
      const hasDictionary = (raw[1]! & 0x20) !== 0;
      if (hasDictionary && !raw.subarray(2, 6).equals(zlibHeader.subarray(2)))
        throw new Error('the header block uses an unknown dictionary');
      raw = raw.subarray(hasDictionary ? 6 : 2);
      this.#started = true;
    }
    const block = inflateRawSync(raw, { dictionary: this.#window, finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: headerBlockLimit });
    this.#window = Buffer.concat([this.#window, block]).subarray(-windowSize);
    return parseHeaderBlock(block);
  }
}

function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function headerBlock(headers: SpdyHeaders): Buffer {
  const entries = Object.entries(headers);
  const count = Buffer.alloc(4);
  count.writeUInt32BE(entries.length);
  return Buffer.concat([count, ...entries.flatMap(([name, value]) => [lengthPrefixed(name.toLowerCase()), lengthPrefixed(value)])]);
}

function parseHeaderBlock(block: Buffer): SpdyHeaders {
  const headers: SpdyHeaders = Object.create(null);
  let offset = 0;
  const number = () => {
    if (offset + 4 > block.length) throw new Error('the header block is cut short');
    offset += 4;
    return block.readUInt32BE(offset - 4);
  };
  const text = () => {
    const length = number();
    if (length > block.length - offset) throw new Error('the header block is cut short');
    offset += length;
    return block.toString('latin1', offset - length, offset);
  };
  for (let left = number(); left > 0; left--) {
    const name = text();
    if (name === '' || name !== name.toLowerCase()) throw new Error('a header name is empty or not in lower case');
    headers[name] = text();
  }
  return headers;
}
