import type { IncomingMessage } from 'node:http';
import { badRequest, failure, unsupportedMediaType } from '../objects/failures.ts';

/** As etcd limits an object, with room for its encoding. */
const bodyLimit = 3 << 20;

/** @throws a 413 failure */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > bodyLimit) {
      // What is still to come is of no interest, but its sender should hear why.
      request.resume();
      throw failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${bodyLimit}`);
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'application/json').split(';')[0]!.trim().toLowerCase();
}

/** @throws a 400 failure for what cannot be parsed, 415 for a media type that is not served. */
export async function parseBody(text: string, mediaType: string): Promise<any> {
  if (mediaType === 'application/yaml' || mediaType === 'application/apply-patch+yaml') return parseYaml(text);
  if (!mediaType.startsWith('application/') || !/[/+]json$/.test(mediaType)) {
    throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: application/json, application/yaml`);
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
