import { createHash } from 'node:crypto';
import { combineCrc, updateCrc32, updateCrc32c, updateCrc64nvme } from './crc.ts';

/** Over all bytes, or over the checksums of the parts. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

interface Running {
  update(data: Buffer): void;
  digest(): Buffer;
}

export interface Algorithm {
  /** In lower case: `x-amz-checksum-<name>`. */
  name: string;
  /** Element of S3's documents. */
  element: string;
  bytes: number;
  start(): Running;
  /** For the checksums of which those of the whole can be made of those of the parts. */
  combine?(first: Buffer, second: Buffer, secondLength: number): Buffer;
  /** Kinds of checksum that an upload in parts may ask for; the first is meant when it names none. */
  types: readonly ChecksumType[];
}

function hashed(name: 'sha1' | 'sha256', element: string, bytes: number): Algorithm {
  return { name, element, bytes, types: ['COMPOSITE'], start: () => createHash(name) };
}

function crc32(name: 'crc32' | 'crc32c', element: string, update: (data: Buffer, value: number) => number): Algorithm {
  return {
    name,
    element,
    bytes: 4,
    types: ['COMPOSITE', 'FULL_OBJECT'],
    start() {
      let value = 0;
      return {
        update: (data) => void (value = update(data, value)),
        digest: () => toBuffer(BigInt(value), 4),
      };
    },
    combine: (first, second, length) => toBuffer(combineCrc(name, toNumber(first), toNumber(second), length), 4),
  };
}

const crc64nvme: Algorithm = {
  name: 'crc64nvme',
  element: 'ChecksumCRC64NVME',
  bytes: 8,
  types: ['FULL_OBJECT'],
  start() {
    let value: readonly [number, number] = [0, 0];
    return {
      update: (data) => void (value = updateCrc64nvme(data, value)),
      digest: () => toBuffer((BigInt(value[0]) << 32n) | BigInt(value[1]), 8),
    };
  },
  combine: (first, second, length) => toBuffer(combineCrc('crc64nvme', toNumber(first), toNumber(second), length), 8),
};

export const algorithms: readonly Algorithm[] = [
  crc32('crc32', 'ChecksumCRC32', updateCrc32),
  crc32('crc32c', 'ChecksumCRC32C', updateCrc32c),
  crc64nvme,
  hashed('sha1', 'ChecksumSHA1', 20),
  hashed('sha256', 'ChecksumSHA256', 32),
];

/** @param name in any case */
export function algorithmNamed(name: string): Algorithm | undefined {
  return algorithms.find((algorithm) => algorithm.name === name.toLowerCase());
}

const toNumber = (value: Buffer): bigint => BigInt(`0x${value.toString('hex')}`);
const toBuffer = (value: bigint, bytes: number): Buffer => Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex');
