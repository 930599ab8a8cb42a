import { S3Error } from '../errors.ts';
import type { Call } from './call.ts';

/** There is one version of each object, called null. */
export function isOnlyVersion(version: string | undefined): boolean {
  return version === undefined || version === '' || version === 'null';
}

/** Whether it could be a version's, here or elsewhere. */
export function isVersionId(version: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(version);
}

/** @returns the version that a request names. @throws S3Error `InvalidArgument` */
export function versionOf(call: Call): string | undefined {
  const version = call.query.get('versionId');
  if (!isOnlyVersion(version) && !isVersionId(version!)) throw new S3Error('InvalidArgument', { message: 'Invalid version id specified' });
  return version;
}

/** @throws S3Error `NoSuchVersion`, `InvalidArgument` */
export function checkVersion(call: Call): void {
  if (!isOnlyVersion(versionOf(call))) throw new S3Error('NoSuchVersion');
}
