import { typeNameOf } from './definitions.ts';
import { goTypes, isZero } from './go-types.ts';

/**
 * Objects in Kubernetes' protobuf encoding, as JSON values. https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
 * Answers stay in JSON, which every client of that encoding accepts as well.
 */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

const magic = Buffer.from('k8s\0');
const depthLimit = 60;
interface RawField {
  number: number;
  value: bigint | Buffer;
}

function* fieldsOf(bytes: Buffer): Generator<RawField> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new ProtobufError('unexpected EOF');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new ProtobufError('integer overflow');
  };
  const take = (length: number): Buffer => {
    if (length > bytes.length - at) throw new ProtobufError('unexpected EOF');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const wireType = key & 7;
    const number = Math.floor(key / 8);
    if (wireType === 0) yield { number, value: varint() };
    else if (wireType === 2) yield { number, value: take(Number(varint())) };
    else if (wireType === 1) yield { number, value: take(8) };
    else throw new ProtobufError(`unsupported wire type ${wireType}`);
  }
}

function scalar(type: string, value: bigint | Buffer): unknown {
  const isNumber = typeof value === 'bigint';
  if (isNumber !== (type === 'i' || type === 'b')) throw new ProtobufError('wrong wire type');
  if (typeof value === 'bigint') return type === 'b' ? value !== 0n : Number(BigInt.asIntN(64, value));
  if (type === 'd') return value.readDoubleLE();
  return type === 'y' ? value.toString('base64') : value.toString('utf8');
}

function numbered(bytes: Buffer): Map<number, bigint | Buffer> {
  return new Map([...fieldsOf(bytes)].map(({ number, value }) => [number, value]));
}

function timeOf(bytes: Buffer): string | undefined {
  const fields = numbered(bytes);
  const seconds = fields.get(1);
  if (typeof seconds !== 'bigint') return undefined;
  const nanos = fields.get(2);
  const time = new Date(Number(BigInt.asIntN(64, seconds)) * 1000 + (typeof nanos === 'bigint' ? Number(nanos) / 1e6 : 0));
  if (Number.isNaN(time.getTime())) throw new ProtobufError('a time is out of range');
  return time.toISOString();
}

function json(value: bigint | Buffer | undefined): unknown {
  if (!Buffer.isBuffer(value) || value.length === 0) return undefined;
  try {
    return JSON.parse(value.toString('utf8'));
  } catch {
    throw new ProtobufError('malformed JSON in a raw value');
  }
}

/** Types that have a form of their own in JSON. */
const special: Readonly<Record<string, (bytes: Buffer) => unknown>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': (bytes) => timeOf(bytes)?.replace(/\.\d+Z$/, 'Z'),
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': (bytes) => timeOf(bytes)?.replace(/Z$/, '000Z'),
  'io.k8s.apimachinery.pkg.api.resource.Quantity': (bytes) => scalar('s', numbered(bytes).get(1) ?? Buffer.from('0')),
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': (bytes) => {
    const fields = numbered(bytes);
    return fields.get(1) === 1n ? scalar('s', fields.get(3) ?? Buffer.alloc(0)) : scalar('i', fields.get(2) ?? 0n);
  },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': (bytes) => json(numbered(bytes).get(1)),
  'io.k8s.apimachinery.pkg.runtime.RawExtension': (bytes) => json(numbered(bytes).get(1)),
};

function decodeValue(type: string, value: bigint | Buffer, depth: number): unknown {
  if (type.length === 1) return scalar(type, value);
  if (!Buffer.isBuffer(value)) throw new ProtobufError('wrong wire type');
  const own = special[type];
  return own ? own(value) : decodeMessage(type, value, depth + 1);
}

function define(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function decodeMessage(type: string, bytes: Buffer, depth: number): Record<string, unknown> {
  const fields = goTypes[type];
  if (!fields || depth > depthLimit) throw new ProtobufError(`${type} cannot be decoded`);
  const out: Record<string, unknown> = {};
  for (const { number, value } of fieldsOf(bytes)) {
    const field = fields[number];
    if (!field) throw new ProtobufError(`field ${number} of ${type} is not known here`);
    const [name, fieldType, form] = field;
    if (form === 'map') {
      if (!Buffer.isBuffer(value)) throw new ProtobufError('wrong wire type');
      const entry = numbered(value);
      const key = scalar('s', entry.get(1) ?? Buffer.alloc(0)) as string;
      define((out[name] ??= {}) as Record<string, unknown>, key, decodeValue(fieldType, entry.get(2) ?? Buffer.alloc(0), depth));
    } else if (form === 'list') ((out[name] ??= []) as unknown[]).push(decodeValue(fieldType, value, depth));
    else if (form === 'inline') Object.assign(out, decodeValue(fieldType, value, depth));
    else {
      const decoded = decodeValue(fieldType, value, depth);
      // Go writes every field that is no pointer, zero or not.
      if (decoded !== undefined && !(form === 'omit' && isZero(decoded))) out[name] = decoded;
    }
  }
  return out;
}

/** @throws ProtobufError for what is malformed, or not known here: nothing is dropped in silence. */
export function decodeProtobuf(bytes: Buffer): object {
  if (!bytes.subarray(0, magic.length).equals(magic)) throw new ProtobufError("the body does not begin as Kubernetes' protobuf does");
  const envelope = numbered(bytes.subarray(magic.length));
  const meta = envelope.get(1);
  const raw = envelope.get(2) ?? Buffer.alloc(0);
  if (!Buffer.isBuffer(meta) || !Buffer.isBuffer(raw)) throw new ProtobufError('the envelope is malformed');
  const names = numbered(meta);
  const apiVersion = scalar('s', names.get(1) ?? Buffer.alloc(0)) as string;
  const kind = scalar('s', names.get(2) ?? Buffer.alloc(0)) as string;
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/') as [string, string]) : ['', apiVersion];
  // The options of a delete are sent in the version of what is deleted.
  const type = kind === 'DeleteOptions' ? 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions' : typeNameOf(group, version, kind);
  if (type === undefined || !goTypes[type])
    throw new ProtobufError(`no kind ${JSON.stringify(kind)} of ${JSON.stringify(apiVersion)} is known here in protobuf`);
  return { apiVersion, kind, ...decodeMessage(type, raw, 0) };
}
