import type { ChecksumType } from '../checksums/algorithms.ts';

/** Where an object's bytes are: in the index, in one file, or in the files of its parts. */
export type Content = { kind: 'inline' | 'file' | 'parts'; id: string };

/** Made known by the client, kept and given back. */
export interface Metadata {
  /** System headers by their names in lower case, for example `content-type`. */
  headers: Record<string, string>;
  /** User metadata by names in lower case without `x-amz-meta-`. */
  user: Record<string, string>;
}

export interface Checksum {
  /** In lower case, for example `crc32c`. */
  algorithm: string;
  /** Base64; with `-<parts>` at its end when it is one of checksums. */
  value: string;
  type: ChecksumType;
}

export interface ObjectRecord extends Metadata {
  etag: string;
  size: number;
  /** ms since 1970. */
  modified: number;
  content: Content;
  checksum?: Checksum;
  tags?: Record<string, string>;
}

/** A file of an object's contents. */
export interface Segment {
  id: string;
  size: number;
}

export interface UploadRecord extends Metadata {
  started: number;
  checksum?: { algorithm: string; type: ChecksumType };
  tags?: Record<string, string>;
}

export interface PartRecord {
  number: number;
  etag: string;
  size: number;
  modified: number;
  blob: string;
  checksum?: string;
}

/**
 * Keys of the index. Zero bytes cannot be part of the names of buckets and objects, so that no name reaches into another's range; the
 * order of the keys is the order of S3's listings, by bytes of UTF-8.
 */
export const keys = {
  bucket: (bucket: string) => `b\0${bucket}`,
  object: (bucket: string, key: string) => `o\0${bucket}\0${key}`,
  inline: (id: string) => `d\0${id}`,
  segments: (id: string) => `s\0${id}`,
  upload: (bucket: string, key: string, uploadId: string) => `u\0${bucket}\0${key}\0${uploadId}`,
  uploads: 'u\0',
  part: (uploadId: string, number: number) => `p\0${uploadId}\0${String(number).padStart(5, '0')}`,
  parts: (uploadId: string) => `p\0${uploadId}\0`,
  /** Names a file, so that it is not swept away. */
  blob: (id: string) => `f\0${id}`,
};

export const encode = (record: object): Buffer => Buffer.from(JSON.stringify(record));
export const decode = <Record>(value: Buffer): Record => JSON.parse(value.toString()) as Record;
