import { S3Error, type S3ErrorCode } from '../errors.ts';
import { xmlDocument, type XmlContent } from '../xml.ts';
import type { Call } from './call.ts';

/** Settings of buckets that there are none of here: asked for, the answer is that it has none; making one is refused. */
export const unset: Record<string, S3ErrorCode> = {
  policy: 'NoSuchBucketPolicy',
  lifecycle: 'NoSuchLifecycleConfiguration',
  cors: 'NoSuchCORSConfiguration',
  website: 'NoSuchWebsiteConfiguration',
  encryption: 'ServerSideEncryptionConfigurationNotFoundError',
  tagging: 'NoSuchTagSet',
  'object-lock': 'ObjectLockConfigurationNotFoundError',
  replication: 'ReplicationConfigurationNotFoundError',
};

/** Settings that a bucket always has, and their documents. */
export const fixed: Record<string, { root: string; content: XmlContent }> = {
  accelerate: { root: 'AccelerateConfiguration', content: '' },
  logging: { root: 'BucketLoggingStatus', content: '' },
  notification: { root: 'NotificationConfiguration', content: '' },
  policyStatus: { root: 'PolicyStatus', content: { IsPublic: 'FALSE' } },
  requestPayment: { root: 'RequestPaymentConfiguration', content: { Payer: 'BucketOwner' } },
};

/** Answers a question for one of `unset` or `fixed`. */
export async function getSetting(call: Call, name: string): Promise<void> {
  call.require('s3:GetBucketLocation');
  call.storage.buckets.get(call.bucket);
  if (unset[name]) throw new S3Error(unset[name]);
  const { root, content } = fixed[name]!;
  call.answerText(xmlDocument(root, content));
}

/** Everything belongs to whoever may use it; lists of rights for each object are not kept. */
export async function getAcl(call: Call): Promise<void> {
  await requireTarget(call);
  call.answerXml('AccessControlPolicy', {
    Owner: { ID: '', DisplayName: '' },
    AccessControlList: { Grant: { Grantee: { Type: 'CanonicalUser' }, Permission: 'FULL_CONTROL' } },
  });
}

/** What is there already may be asked for. */
export async function putAcl(call: Call): Promise<void> {
  await requireTarget(call);
  if (call.header('x-amz-acl') !== 'private') throw new S3Error('NotImplemented');
  call.answerEmpty(200);
}

async function requireTarget(call: Call): Promise<void> {
  call.require(call.key === '' ? 's3:GetBucketPolicy' : 's3:GetObject');
  call.storage.buckets.get(call.bucket);
  if (call.key !== '' && !(await call.storage.objects.find(call.bucket, call.key))) throw new S3Error('NoSuchKey');
}
