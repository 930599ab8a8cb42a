import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeProtobuf, ProtobufError } from './protobuf.ts';

const field = (number: number, value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
};
const integer = (number: number, value: number): Buffer => Buffer.from([number * 8, value]);
const message = (...parts: Buffer[]): Buffer => Buffer.concat(parts);
const envelope = (apiVersion: string, kind: string, raw: Buffer): Buffer =>
  message(Buffer.from('k8s\0'), field(1, message(field(1, apiVersion), field(2, kind))), field(2, raw));
const failureOf = (bytes: Buffer): unknown => {
  try {
    decodeProtobuf(bytes);
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('decodeProtobuf', () => {
  it('reads an object as its JSON', () => {
    const metadata = message(field(1, 'a'), field(3, ''), field(8, ''), field(11, message(field(1, '__proto__'), field(2, 'x'))));
    const raw = message(field(1, metadata), field(2, message(field(1, 'key'), field(2, 'välue'))));
    expect(JSON.stringify(decodeProtobuf(envelope('v1', 'ConfigMap', raw)))).toBe(
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"__proto__":"x"}},"data":{"key":"välue"}}',
    );
  });
  it('keeps a zero that was set and drops one that was not', () => {
    const probe = message(integer(2, 0), integer(3, 0));
    const container = message(field(1, 'c'), field(10, probe));
    const raw = field(2, message(integer(1, 0), field(3, field(2, field(2, container)))));
    expect(decodeProtobuf(envelope('apps/v1', 'Deployment', raw))).toMatchObject({
      spec: { replicas: 0, template: { spec: { containers: [{ name: 'c', livenessProbe: {} }] } } },
    });
  });
  it('reads what has a form of its own in JSON, and structs in structs', () => {
    const port = message(field(1, 'http'), integer(3, 80), field(4, message(integer(1, 1), field(3, 'named'))));
    expect(decodeProtobuf(envelope('v1', 'Service', field(2, field(1, port))))).toMatchObject({
      spec: { ports: [{ name: 'http', port: 80, targetPort: 'named' }] },
    });
    const volume = message(field(1, 'v'), field(2, field(2, message(field(1, '')))));
    expect(decodeProtobuf(envelope('v1', 'Pod', field(2, field(1, volume))))).toMatchObject({
      spec: { volumes: [{ name: 'v', emptyDir: {} }] },
    });
  });
  it.each<[string, Buffer]>([
    ['another format', Buffer.from('{}')],
    ['an unknown kind', envelope('v1', 'Unknown', Buffer.alloc(0))],
    ['an unknown field', envelope('v1', 'ConfigMap', field(15, 'x'))],
    ['a cut off message', envelope('v1', 'ConfigMap', Buffer.from([10, 50, 1]))],
    ['a wrong wire type', envelope('v1', 'ConfigMap', integer(1, 1))],
  ])('refuses %s', (_, bytes) => expect(failureOf(bytes)).toBeInstanceOf(ProtobufError));
  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom('Pod', 'ConfigMap', 'Service', 'Namespace'), fc.uint8Array({ maxLength: 60 }), (kind, bytes) => {
        const error = failureOf(envelope('v1', kind, Buffer.from(bytes)));
        expect(error === undefined || error instanceof ProtobufError).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
