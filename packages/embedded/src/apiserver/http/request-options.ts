import type { IncomingMessage } from 'node:http';
import { badRequest, failure } from '../objects/failures.ts';
import { wholeNumber } from '../objects/listing.ts';
import type { DeleteOptions } from '../objects/object-deleter.ts';
import type { WriteOptions } from '../objects/object-writer.ts';
import { requireObject } from '../objects/well-formed.ts';
import { duplicateFields, mediaTypeOf, parseBody, readBody } from './body.ts';
import type { Answering } from './respond.ts';

/** A request that may carry an object or options, and its query. */
interface Asked extends Pick<Answering, 'warnings'> {
  request: IncomingMessage;
  query: URLSearchParams;
}

/** @throws a 422 failure for what is no way of trying */
export function isDryRun(query: URLSearchParams): boolean {
  const asked = query.getAll('dryRun');
  if (asked.length === 0) return false;
  if (asked.some((value) => value !== 'All'))
    throw failure(422, 'Invalid', `options is invalid: dryRun: Unsupported value: ${JSON.stringify(asked)}: supported values: "All"`);
  return true;
}

/** What a request asks for besides an object. @param absent stands for an empty body. */
export async function readOptions(request: IncomingMessage, absent?: object): Promise<Record<string, any>> {
  const text = await readBody(request);
  if (text === '' && absent) return absent;
  const body: unknown = await parseBody(text, mediaTypeOf(request));
  requireObject(body);
  return body;
}

/** The object that a request carries, held to the wanted field validation. */
export async function readObject(request: IncomingMessage, { fieldValidation, warn }: WriteOptions): Promise<any> {
  const text = await readBody(request);
  const mediaType = mediaTypeOf(request);
  const body = await parseBody(text, mediaType);
  if (fieldValidation === 'Ignore' || !text.trimStart().startsWith('{')) return body;
  const duplicates = duplicateFields(text).map((path) => `duplicate field "${path}"`);
  if (duplicates.length > 0 && fieldValidation === 'Strict') throw badRequest(`strict decoding error: ${duplicates.join(', ')}`);
  duplicates.forEach(warn);
  return body;
}

export function writeOptions(exchange: Asked): WriteOptions {
  const { query, request, warnings } = exchange;
  const validation = query.get('fieldValidation') ?? 'Warn';
  if (validation !== 'Strict' && validation !== 'Warn' && validation !== 'Ignore')
    throw badRequest(`fieldValidation: Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`);
  // Clients that do not name themselves are known by their program, as in Kubernetes.
  const manager = query.get('fieldManager') || (request.headers['user-agent'] ?? 'unknown').split('/')[0]!;
  if (manager.length > 128) throw badRequest('fieldManager: Too long: may not be more than 128 bytes');
  return { dryRun: isDryRun(query), fieldManager: manager, fieldValidation: validation, warn: (message) => void warnings.push(message) };
}

export async function deleteOptions({ request, query }: Omit<Asked, 'warnings'>): Promise<DeleteOptions> {
  const body = await readOptions(request, {});
  const grace = body.gracePeriodSeconds ?? wholeNumber(query, 'gracePeriodSeconds');
  if (grace !== undefined && (!Number.isInteger(grace) || grace < 0))
    throw badRequest('gracePeriodSeconds must be a whole number that is not negative');
  const orphans: boolean | undefined = body.orphanDependents;
  const policy =
    body.propagationPolicy ?? query.get('propagationPolicy') ?? (orphans === undefined ? undefined : orphans ? 'Orphan' : 'Background');
  if (policy !== undefined && !['Orphan', 'Background', 'Foreground'].includes(policy)) {
    throw badRequest(
      `propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  }
  return {
    dryRun: isDryRun(query) || [body.dryRun].flat().includes('All'),
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...(body.preconditions?.uid ? { uid: body.preconditions.uid } : {}),
    ...(body.preconditions?.resourceVersion ? { resourceVersion: body.preconditions.resourceVersion } : {}),
  };
}
