/**
 * The Swagger 2.0 document in the protobuf encoding `openapi_v2.Document`, which kubectl asks for:
 * https://github.com/google/gnostic-models/blob/main/openapiv2/OpenAPIv2.proto
 */
type Field = Buffer | undefined;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

/** Wire type 2: bytes, texts and messages. */
function bytes(number: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(value.length)]), value]);
}

const string = (number: number, value: unknown): Field =>
  typeof value === 'string' && value !== '' ? bytes(number, Buffer.from(value)) : undefined;
const flag = (number: number, value: unknown): Field => (value === true ? Buffer.from([...varint(number * 8), 1]) : undefined);
/** Counts; never negative here. */
const integer = (number: number, value: unknown): Field =>
  typeof value === 'number' && value > 0 ? Buffer.from([...varint(number * 8), ...varint(value)]) : undefined;

function double(number: number, value: unknown): Field {
  if (typeof value !== 'number') return undefined;
  const out = Buffer.alloc(8);
  out.writeDoubleLE(value);
  return Buffer.concat([Buffer.from(varint(number * 8 + 1)), out]);
}

function message(...fields: (Field | Field[])[]): Buffer {
  return Buffer.concat(fields.flat().filter((field) => field !== undefined));
}

type Json = Record<string, any>;

const strings = (number: number, values: unknown): Field[] => (Array.isArray(values) ? values.map((value) => string(number, value)) : []);
const nested = (number: number, value: Json | undefined, encode: (value: any) => Buffer): Field =>
  value === undefined ? undefined : bytes(number, encode(value));
const named = (number: number, values: Json | undefined, encode: (value: any) => Buffer): Field[] =>
  Object.entries(values ?? {}).map(([name, value]) => bytes(number, message(string(1, name), bytes(2, encode(value)))));
/** Any value, as YAML; JSON is YAML. */
const any = (value: unknown): Buffer => message(string(2, `${JSON.stringify(value)}\n`));
const extensions = (number: number, value: Json): Field[] =>
  named(number, Object.fromEntries(Object.entries(value).filter(([key]) => key.startsWith('x-'))), any);

function schema(value: Json): Buffer {
  return message(
    string(1, value['$ref']),
    string(2, value['format']),
    string(4, value['description']),
    double(6, value['multipleOf']),
    double(7, value['maximum']),
    flag(8, value['exclusiveMaximum']),
    double(9, value['minimum']),
    flag(10, value['exclusiveMinimum']),
    integer(11, value['maxLength']),
    integer(12, value['minLength']),
    string(13, value['pattern']),
    integer(14, value['maxItems']),
    integer(15, value['minItems']),
    flag(16, value['uniqueItems']),
    integer(17, value['maxProperties']),
    integer(18, value['minProperties']),
    strings(19, value['required']),
    (value['enum'] ?? []).map((item: unknown) => bytes(20, any(item))),
    nested(21, value['additionalProperties'], (item) => message(bytes(1, schema(item)))),
    nested(22, value['type'] && { type: value['type'] }, ({ type }) => message(string(1, type))),
    nested(23, value['items'], (item) => message(bytes(1, schema(item)))),
    nested(25, value['properties'], (properties) => message(named(1, properties, schema))),
    extensions(31, value),
  );
}

function parameter(value: Json): Buffer {
  const isPath = value['in'] === 'path';
  const body = message(
    flag(1, value['required']),
    string(2, value['in']),
    string(4, value['name']),
    string(isPath ? 5 : 6, value['type']),
    flag(isPath ? 17 : 18, value['uniqueItems']),
  );
  const nonBody = bytes(isPath ? 4 : 3, body);
  return message(bytes(1, message(bytes(2, nonBody))));
}

const parameters = (number: number, values: Json[] | undefined): Field[] => (values ?? []).map((value) => bytes(number, parameter(value)));
const response = (value: Json): Buffer => message(bytes(1, message(string(1, value['description']))));

function operation(value: Json): Buffer {
  return message(
    string(5, value['operationId']),
    parameters(8, value['parameters']),
    bytes(9, message(named(1, value['responses'], response))),
    extensions(13, value),
  );
}

function pathItem(value: Json): Buffer {
  return message(
    nested(2, value['get'], operation),
    nested(3, value['put'], operation),
    nested(4, value['post'], operation),
    nested(5, value['delete'], operation),
    nested(8, value['patch'], operation),
    parameters(9, value['parameters']),
  );
}

/** @param document as `/openapi/v2` answers it in JSON. */
export function encodeOpenApiV2(document: object): Buffer {
  const { swagger, info, paths, definitions } = document as Json;
  return message(
    string(1, swagger),
    bytes(2, message(string(1, info.title), string(2, info.version))),
    bytes(8, message(named(2, paths, pathItem))),
    bytes(9, message(named(1, definitions, schema))),
  );
}
