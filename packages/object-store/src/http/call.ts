import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Identities, Identity } from '../auth/identities.ts';
import type { Trailers } from '../auth/payload.ts';
import { isStreaming, verifiedPayload } from '../auth/payload.ts';
import type { SignedRequest } from '../auth/signature.ts';
import { S3Error } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { xmlDocument, type XmlContent } from '../xml.ts';

/** Longest document that a request may bring, in bytes: a list of 10,000 parts with checksums needs about 3 MiB. */
const maxDocumentBytes = 5 << 20;

/** A request whose sender is known, and its answer. */
export class Call {
  readonly storage: Storage;
  readonly identities: Identities;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly headers: IncomingHttpHeaders;
  readonly query: ReadonlyMap<string, string>;
  readonly signed: SignedRequest;
  readonly identity: Identity;
  readonly bucket: string;
  readonly key: string;
  /** Filled in once the body was read. */
  readonly trailers: Trailers = new Map();

  constructor(from: Pick<Call, 'storage' | 'identities' | 'request' | 'response' | 'query' | 'signed' | 'identity' | 'bucket' | 'key'>) {
    this.storage = from.storage;
    this.identities = from.identities;
    this.request = from.request;
    this.response = from.response;
    this.headers = from.request.headers;
    this.query = from.query;
    this.signed = from.signed;
    this.identity = from.identity;
    this.bucket = from.bucket;
    this.key = from.key;
  }

  /** @throws S3Error `AccessDenied` */
  require(
    action: string,
    { bucket = this.bucket, key = this.key, values }: { bucket?: string; key?: string; values?: Record<string, string> } = {},
  ): void {
    if (!this.may(action, { bucket, key, values })) throw new S3Error('AccessDenied');
  }

  may(
    action: string,
    { bucket = this.bucket, key = this.key, values }: { bucket?: string; key?: string; values?: Record<string, string> } = {},
  ): boolean {
    return this.identities.allows(this.identity, { action, resource: key === '' ? bucket : `${bucket}/${key}`, values });
  }

  header(name: string): string | undefined {
    const value = this.headers[name];
    return Array.isArray(value) ? value.join(',') : value;
  }

  /** Bytes that the body will have once taken out of its chunks. @throws S3Error `MissingContentLength` */
  bodyLength(): number {
    const streamed = isStreaming(this.signed.payloadHash);
    const text = this.header(streamed ? 'x-amz-decoded-content-length' : 'content-length');
    if (text === undefined)
      throw streamed ? new S3Error('BadRequest', { message: 'malformed chunked encoding' }) : new S3Error('MissingContentLength');
    if (!/^\d{1,15}$/.test(text)) throw new S3Error('InvalidArgument', { message: 'The content length is not a number.' });
    return Number(text);
  }

  /** The body's own bytes, verified by the time they have all been read. Asks the client to send them, if it waits for that. */
  body(): AsyncIterable<Buffer> {
    const { request, response } = this;
    const length = isStreaming(this.signed.payloadHash) ? this.bodyLength() : undefined;
    if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
    return verifiedPayload(bytesOf(request), this.signed, length, this.trailers);
  }

  /** The whole of a short body. @throws S3Error `EntityTooLarge` */
  async document(): Promise<string> {
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of this.body()) {
      size += piece.length;
      if (size > maxDocumentBytes) throw new S3Error('EntityTooLarge');
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString();
  }

  answerXml(root: string, content: XmlContent, headers: Record<string, string> = {}): void {
    this.answerText(xmlDocument(root, content), headers);
  }

  answerText(document: string, headers: Record<string, string> = {}): void {
    const body = Buffer.from(document);
    this.response.writeHead(200, { 'content-type': 'application/xml', 'content-length': body.length, ...headers }).end(body);
  }

  answerEmpty(status: number, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, status === 204 ? headers : { 'content-length': 0, ...headers }).end();
  }
}

/** A request that is cut off ends with an error that says so. */
async function* bytesOf(request: IncomingMessage): AsyncIterable<Buffer> {
  try {
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw new S3Error('IncompleteBody', { cause: error });
  }
}
