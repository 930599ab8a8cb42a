import type { IncomingMessage } from 'node:http';
import { badRequest, failure, unsupportedMediaType } from '../objects/failures.ts';
import { requireShallow } from '../objects/well-formed.ts';

/** As etcd limits an object, with room for its encoding. */
const bodyLimit = 3 << 20;
/** Who sends even more is not listened to any longer. */
const drainLimit = 64 << 20;

/** What typed Go clients send, `kubectl create` among them. */
const protobufType = 'application/vnd.kubernetes.protobuf';

/** @throws a 413 failure, 415 for protobuf that is not understood */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Read to its end even when it is too long: a sender whose connection breaks never hears why. (`for await` would break it.)
  await new Promise<void>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bodyLimit) chunks.push(chunk);
      else chunks.length = 0;
      if (size > drainLimit) request.destroy();
    });
    request
      .once('end', resolve)
      .once('error', reject)
      .once('close', () => reject(badRequest('the request was cut off')));
  });
  if (size > bodyLimit) throw failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${bodyLimit}`);
  const body = Buffer.concat(chunks);
  return sentType(request) === protobufType ? await jsonOf(body) : body.toString('utf8');
}

async function jsonOf(body: Buffer): Promise<string> {
  const { decodeProtobuf, ProtobufError } = await import('../../schema/protobuf.ts');
  try {
    return JSON.stringify(decodeProtobuf(body));
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    throw unsupportedMediaType(`the body of the request cannot be read as protobuf (${error.message}); send application/json`);
  }
}

function sentType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'application/json').split(';')[0]!.trim().toLowerCase();
}

/** Protobuf counts as JSON, for that is what {@link readBody} makes of it. */
export function mediaTypeOf(request: IncomingMessage): string {
  const type = sentType(request);
  return type === protobufType ? 'application/json' : type;
}

/** @throws a 400 failure for what cannot be parsed, 415 for a media type that is not served. */
export async function parseBody(text: string, mediaType: string): Promise<any> {
  const body = await parseText(text, mediaType);
  requireShallow(body);
  return body;
}

async function parseText(text: string, mediaType: string): Promise<any> {
  if (mediaType === 'application/yaml' || mediaType === 'application/apply-patch+yaml') return parseYaml(text);
  if (!mediaType.startsWith('application/') || !/[/+]json$/.test(mediaType)) {
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml`,
    );
  }
  return parseJson(text);
}

function parseJson(text: string): any {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`);
  }
}

async function parseYaml(text: string): Promise<any> {
  // Most clients that send this type send JSON, which is quicker to read.
  if (text.trimStart().startsWith('{')) return parseJson(text);
  const { parse } = await import('yaml');
  try {
    return parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw badRequest(`error parsing YAML: ${(error as Error).message}`);
  }
}

/** Paths of the fields that JSON `text` names twice; of them the last counts. `text` must have been parsed before. */
export function duplicateFields(text: string): string[] {
  const found: string[] = [];
  /** For each open object or list: the fields so far, or the index. */
  const open: { path: string; fields?: Set<string>; index: number; field: string }[] = [];
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;
  let isValue = false;
  const here = (): string => {
    const at = open.at(-1);
    if (!at) return '';
    return at.fields ? `${at.path}${at.path && '.'}${at.field}` : `${at.path}[${at.index}]`;
  };
  for (const [token] of text.matchAll(tokens)) {
    const at = open.at(-1);
    if (token === '{' || token === '[') {
      open.push({ path: here(), index: 0, field: '', ...(token === '{' ? { fields: new Set<string>() } : {}) });
      isValue = token === '[';
    } else if (token === '}' || token === ']') open.pop();
    else if (token === ':') isValue = true;
    else if (token === ',') {
      if (at) at.index += 1;
      isValue = at?.fields === undefined;
    } else if (!isValue && at?.fields) {
      at.field = JSON.parse(token) as string;
      if (at.fields.has(at.field)) found.push(here());
      at.fields.add(at.field);
    }
  }
  return found;
}
