import { S3Error } from '../errors.ts';
import { checkBucketName, checkKey } from '../names.ts';

/** What a request's URL names. */
export interface Target {
  /** Decoded, as it was signed. */
  path: string;
  query: [name: string, value: string][];
}

/** @throws S3Error for a URL that is not well-formed */
export function parseUrl(url: string): Target {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? '' : url.slice(mark + 1);
  if (!path.startsWith('/')) throw new S3Error('BadRequest');
  try {
    return {
      path: decodeURIComponent(path),
      query: query
        .split('&')
        .filter((pair) => pair !== '')
        .map((pair) => {
          const [name, ...value] = pair.replaceAll('+', '%20').split('=');
          return [decodeURIComponent(name!), decodeURIComponent(value.join('='))];
        }),
    };
  } catch (error) {
    throw new S3Error('XMinioInvalidObjectName', { cause: error });
  }
}

/** Bucket and key of a path; empty where there is none. */
export function splitPath(path: string): { bucket: string; key: string } {
  const slash = path.indexOf('/', 1);
  if (slash < 0) return { bucket: path.slice(1), key: '' };
  const key = path.slice(slash + 1);
  // Keys do not begin with a slash: MinIO takes them for the path of a file and tidies it.
  return { bucket: path.slice(1, slash), key: key.startsWith('/') ? key.replace(/\/+/g, '/').slice(1) : key };
}

/** @throws S3Error for names that no bucket or object can have */
export function checkTarget(bucket: string, key: string): void {
  if (bucket !== '') checkBucketName(bucket);
  if (key !== '') checkKey(key);
}
