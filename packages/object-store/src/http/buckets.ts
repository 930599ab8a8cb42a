import { S3Error } from '../errors.ts';
import { parseXml, xmlDocument, xmlHeader } from '../xml.ts';
import type { Call } from './call.ts';

/** The same for everybody, as MinIO has it: accounts do not own objects. */
export const owner = { ID: '02d6176db174dc93cb1b899f7c6078f08654445fe8cf1b6ce98d8855f66bdbf4', DisplayName: 'minio' };

export async function listBuckets(call: Call): Promise<void> {
  const { storage } = call;
  const visible = storage.buckets
    .list()
    .filter(({ name }) => ['s3:ListBucket', 's3:GetBucketLocation'].some((action) => call.may(action, { bucket: name, key: '' })));
  if (visible.length === 0 && !call.may('s3:ListAllMyBuckets', { bucket: '', key: '' }) && !mayOpenAny(call))
    throw new S3Error('AccessDenied');
  const buckets = visible.map(({ name, created }) => ({ Name: name, CreationDate: new Date(created).toISOString() }));
  call.answerXml('ListAllMyBucketsResult', { Owner: owner, Buckets: { Bucket: buckets } });
}

/** Somebody whose buckets are not there yet sees an empty list rather than a refusal. */
function mayOpenAny(call: Call): boolean {
  return call.may('s3:ListBucket', { bucket: '', key: '' });
}

export async function createBucket(call: Call): Promise<void> {
  call.require('s3:CreateBucket');
  const text = await call.document();
  if (text !== '' && parseXml(text).name !== 'CreateBucketConfiguration') throw new S3Error('MalformedXML');
  await call.storage.buckets.create(call.bucket);
  call.answerEmpty(200, { location: `/${call.bucket}` });
}

export async function headBucket(call: Call): Promise<void> {
  call.require('s3:ListBucket');
  call.storage.buckets.get(call.bucket);
  call.answerEmpty(200, { 'content-type': 'application/xml' });
}

export async function deleteBucket(call: Call): Promise<void> {
  call.require('s3:DeleteBucket');
  await call.storage.deleteBucket(call.bucket);
  call.answerEmpty(204);
}

export async function getLocation(call: Call): Promise<void> {
  call.require('s3:GetBucketLocation');
  call.storage.buckets.get(call.bucket);
  call.answerXml('LocationConstraint', '');
}

/** Objects have no versions here. */
export async function getVersioning(call: Call): Promise<void> {
  call.require('s3:GetBucketVersioning');
  call.storage.buckets.get(call.bucket);
  call.answerText(xmlDocument('VersioningConfiguration', '').slice(xmlHeader.length));
}
