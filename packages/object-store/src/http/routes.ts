import { S3Error } from '../errors.ts';
import { createBucket, deleteBucket, getLocation, getVersioning, headBucket, listBuckets } from './buckets.ts';
import type { Call } from './call.ts';
import { completeUpload } from './complete-upload.ts';
import { copyObject } from './copy-object.ts';
import { deleteObject, deleteObjects } from './delete-objects.ts';
import { getObject } from './get-object.ts';
import { listObjectsV1, listObjectsV2, listVersions } from './list-objects.ts';
import { listParts, listUploads } from './list-uploads.ts';
import { abortUpload, createUpload, uploadPart, uploadPartCopy } from './multipart.ts';
import { putObject } from './put-object.ts';
import { fixed, getAcl, getSetting, putAcl, unset } from './settings.ts';
import { deleteTagging, getTagging, putTagging } from './tagging.ts';

type Handler = (call: Call) => Promise<void>;

/** Words in the query that make a request one about something else than the bucket or object itself. */
const bucketAspects = new Set([
  ...Object.keys(unset),
  ...Object.keys(fixed),
  'acl',
  'analytics',
  'delete',
  'events',
  'intelligent-tiering',
  'inventory',
  'location',
  'metrics',
  'ownershipControls',
  'publicAccessBlock',
  'uploads',
  'versioning',
  'versions',
]);
const objectAspects = new Set([
  'acl',
  'attributes',
  'legal-hold',
  'restore',
  'retention',
  'select',
  'tagging',
  'torrent',
  'uploads',
  'uploadId',
]);

const service: Record<string, Handler> = { GET: listBuckets };

/** By method and aspect. */
const bucket: Record<string, Handler> = {
  'GET ': (call) => (call.query.get('list-type') === '2' ? listObjectsV2(call) : listObjectsV1(call)),
  'HEAD ': headBucket,
  'PUT ': createBucket,
  'DELETE ': deleteBucket,
  'GET location': getLocation,
  'GET versioning': getVersioning,
  'GET versions': listVersions,
  'GET uploads': listUploads,
  'GET acl': getAcl,
  'POST delete': deleteObjects,
  'PUT acl': putAcl,
  ...Object.fromEntries(
    [...Object.keys(unset), ...Object.keys(fixed)].map((name) => [`GET ${name}`, (call: Call) => getSetting(call, name)]),
  ),
};

const object: Record<string, Handler> = {
  'GET ': getObject,
  'HEAD ': getObject,
  'PUT ': (call) => (call.header('x-amz-copy-source') === undefined ? putObject(call) : copyObject(call)),
  'DELETE ': deleteObject,
  'GET tagging': getTagging,
  'PUT tagging': putTagging,
  'DELETE tagging': deleteTagging,
  'GET acl': getAcl,
  'PUT acl': putAcl,
  'POST uploads': createUpload,
  'GET uploadId': listParts,
  'PUT uploadId': (call) => (call.header('x-amz-copy-source') === undefined ? uploadPart(call) : uploadPartCopy(call)),
  'POST uploadId': completeUpload,
  'DELETE uploadId': abortUpload,
};

/** What does the call. @throws S3Error for what this store does not do */
export function handlerFor(call: Call, method: string): Handler {
  if (call.bucket === '') return service[method] ?? unsupported(call, method);
  const [handlers, aspects] = call.key === '' ? [bucket, bucketAspects] : [object, objectAspects];
  const aspect = [...call.query.keys()].find((name) => aspects.has(name)) ?? '';
  const handler = handlers[`${method} ${aspect}`];
  if (handler) return handler;
  if (aspect !== '') throw new S3Error('NotImplemented');
  return unsupported(call, method);
}

function unsupported(call: Call, method: string): never {
  throw new S3Error('BadRequest', {
    message: `An unsupported API call for method: ${method} at '/${[call.bucket, call.key].filter(Boolean).join('/')}'`,
  });
}
