import type { Call } from '../http/call.ts';
import { AdminError } from './admin-error.ts';
import { openBody, sealBody, SealedBodyError } from './sealed-body.ts';

/** Longest body, in bytes: MinIO's own limit. */
const longestBody = 262_272;

/** @throws AdminError when the query lacks it */
export function parameter(call: Call, name: string): string {
  const value = call.query.get(name);
  if (!value) throw new AdminError('XMinioAdminInvalidArgument', `The query lacks ${name}.`);
  return value;
}

export async function bodyOf(call: Call): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of call.body()) {
    size += piece.length;
    if (size > longestBody) throw new AdminError('XMinioAdminInvalidArgument', `The body has more than ${longestBody} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The object that a body holds which was sealed with the caller's secret. @throws AdminError */
export async function sealedObject(call: Call): Promise<Record<string, unknown>> {
  const sealed = await bodyOf(call);
  try {
    const value: unknown = JSON.parse((await openBody(secretOf(call), sealed)).toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SealedBodyError && error.reason === 'unsupported') throw new AdminError('NotImplemented', error.message);
    if (!(error instanceof SealedBodyError) && !(error instanceof SyntaxError)) throw error;
  }
  throw new AdminError('XMinioAdminConfigBadJSON');
}

export function sealedAnswer(call: Call, value: unknown): Promise<Buffer> {
  return sealBody(secretOf(call), JSON.stringify(value));
}

function secretOf({ identities, identity }: Call): string {
  const secret = identities.secretOf(identity.accessKey);
  // Removed since its request was let in.
  if (secret === undefined) throw new AdminError('XMinioAdminNoSuchUser');
  return secret;
}
