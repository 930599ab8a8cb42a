import { crc32 } from 'node:zlib';

/** Continues a checksum over more bytes. */
export type CrcUpdate<Value> = (data: Buffer, value: Value) => Value;

export const updateCrc32: CrcUpdate<number> = (data, value) => crc32(data, value);

/** Reversed polynomial of CRC-32C (Castagnoli), RFC 3720. */
const castagnoli = 0x82f63b78;
/** Tables for eight bytes at a time. */
const tables32 = makeTables32(castagnoli);

export const updateCrc32c: CrcUpdate<number> = (data, value) => {
  let crc = ~value;
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables32 as [Uint32Array, ...Uint32Array[]] as Uint32Array[] as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  const whole = data.length & ~7;
  let at = 0;
  for (; at < whole; at += 8) {
    const low = crc ^ (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24));
    crc =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[data[at + 4]!]! ^
      t2[data[at + 5]!]! ^
      t1[data[at + 6]!]! ^
      t0[data[at + 7]!]!;
  }
  for (; at < data.length; at++) crc = t0[(crc ^ data[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
};

function makeTables32(polynomial: number): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    tables[0]![byte] = crc;
  }
  for (let table = 1; table < 8; table++)
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[table - 1]![byte]!;
      tables[table]![byte] = (before >>> 8) ^ tables[0]![before & 0xff]!;
    }
  return tables;
}

/** Reversed polynomial of CRC-64/NVME, NVM Express specification. */
const nvme = 0x9a6c9329ac4bc9b5n;
/** As halves of 32 bits, which JavaScript computes with far faster than with 64. */
const tables64 = makeTables64(nvme);

/** Continues a CRC-64/NVME. @param value high and low half */
export const updateCrc64nvme: CrcUpdate<readonly [high: number, low: number]> = (data, [startHigh, startLow]) => {
  let high = ~startHigh;
  let low = ~startLow;
  const { highs, lows } = tables64;
  const whole = data.length & ~7;
  let at = 0;
  for (; at < whole; at += 8) {
    const a = low ^ (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24));
    const b = high ^ (data[at + 4]! | (data[at + 5]! << 8) | (data[at + 6]! << 16) | (data[at + 7]! << 24));
    const i0 = 1792 + (a & 0xff);
    const i1 = 1536 + ((a >>> 8) & 0xff);
    const i2 = 1280 + ((a >>> 16) & 0xff);
    const i3 = 1024 + (a >>> 24);
    const i4 = 768 + (b & 0xff);
    const i5 = 512 + ((b >>> 8) & 0xff);
    const i6 = 256 + ((b >>> 16) & 0xff);
    const i7 = b >>> 24;
    high = highs[i0]! ^ highs[i1]! ^ highs[i2]! ^ highs[i3]! ^ highs[i4]! ^ highs[i5]! ^ highs[i6]! ^ highs[i7]!;
    low = lows[i0]! ^ lows[i1]! ^ lows[i2]! ^ lows[i3]! ^ lows[i4]! ^ lows[i5]! ^ lows[i6]! ^ lows[i7]!;
  }
  for (; at < data.length; at++) {
    const index = (low ^ data[at]!) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ lows[index]!;
    high = (high >>> 8) ^ highs[index]!;
  }
  return [~high >>> 0, ~low >>> 0];
};

/** Eight tables of 256 entries, one after the other. */
function makeTables64(polynomial: bigint): { highs: Int32Array; lows: Int32Array } {
  const values: bigint[] = [];
  for (let byte = 0n; byte < 256n; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
    values.push(crc);
  }
  for (let at = 256; at < 2048; at++) values.push((values[at - 256]! >> 8n) ^ values[Number(values[at - 256]! & 0xffn)]!);
  return {
    highs: Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value >> 32n))),
    lows: Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value))),
  };
}

/** Reversed polynomials by width, for {@link combineCrc}. */
const polynomials = { crc32: [32, 0xedb88320n], crc32c: [32, 0x82f63b78n], crc64nvme: [64, nvme] } as const;
export type CombinableCrc = keyof typeof polynomials;

/** The checksum of two pieces of data after one another, of their checksums: multiplies the first by x^(8·length) and adds the second. */
export function combineCrc(algorithm: CombinableCrc, first: bigint, second: bigint, secondLength: number): bigint {
  const [width, polynomial] = polynomials[algorithm];
  const highest = 1n << BigInt(width - 1);
  const multiply = (a: bigint, b: bigint): bigint => {
    let product = 0n;
    let factor = b;
    for (let bit = highest; bit > 0n; bit >>= 1n) {
      if (a & bit) product ^= factor;
      factor = factor & 1n ? (factor >> 1n) ^ polynomial : factor >> 1n;
    }
    return product;
  };
  // Reversed: the highest bit is x^0, so this is x^8.
  let power = highest >> 8n;
  let shift = highest;
  for (let left = BigInt(secondLength); left > 0n; left >>= 1n) {
    if (left & 1n) shift = multiply(shift, power);
    power = multiply(power, power);
  }
  return multiply(shift, first) ^ second;
}
