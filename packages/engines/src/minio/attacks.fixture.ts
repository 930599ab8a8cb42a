import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { AwsClient } from 'aws4fetch';
import { s3Client } from '../contract/drivers/minio.ts';
import { administrator, type Grant } from '../engine.ts';
import { minio } from './definition.ts';
import { StoreClient } from './store-client.ts';

/** One app against another. */
export interface Attackable {
  ip: string;
  mine: Grant;
  theirs: Grant;
  /** The other's, and an object in it. */
  Bucket: string;
  Key: string;
}

/** What a server says that refuses, MinIO's words and those of the object store for what it does not have. */
export const refusal =
  /denied|403|forbidden|UnknownError|NotImplemented|not implemented|bucket name does not match|AuthorizationParametersError/i;

const wide = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] }],
});
const newPassword = 'Intruder0123456789';

/** Every way that we know to what is not the app's, by what it does. */
export const attacksOf = ({ ip, mine, theirs, Bucket, Key }: Attackable) => {
  const app = s3Client(minio.uri({ host: ip, port: 9000, ...mine }));
  const own = mine.database;
  const admin = new StoreClient({ host: ip, port: 9000, ...mine, signal: AbortSignal.timeout(20_000) });
  const addUser = (accessKey: string): Promise<string> =>
    admin.adminSealed('add-user', {
      method: 'PUT',
      query: { accessKey },
      body: JSON.stringify({ secretKey: newPassword, status: 'enabled' }),
    });
  const addKey = (key: { accessKey: string; targetUser?: string }): Promise<string> =>
    admin.adminSealed('add-service-account', { method: 'PUT', body: JSON.stringify({ ...key, secretKey: newPassword }) });
  const open = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: ['*'] }, Action: ['s3:GetObject'], Resource: [`arn:aws:s3:::${Bucket}/*`] }],
  });
  return {
    "list another's objects": () => app.send(new ListObjectsV2Command({ Bucket })),
    'read an object': () => app.send(new GetObjectCommand({ Bucket, Key })),
    'read an object by a signed link': async () => fetchOk(await getSignedUrl(app, new GetObjectCommand({ Bucket, Key }))),
    'look at an object': () => app.send(new HeadObjectCommand({ Bucket, Key })),
    'look at the bucket': () => app.send(new HeadBucketCommand({ Bucket })),
    'ask where the bucket is': () => app.send(new GetBucketLocationCommand({ Bucket })),
    'overwrite an object': () => app.send(new PutObjectCommand({ Bucket, Key, Body: 'taken' })),
    'add an object': () => app.send(new PutObjectCommand({ Bucket, Key: 'new', Body: 'taken' })),
    'begin an upload': () => app.send(new CreateMultipartUploadCommand({ Bucket, Key })),
    'list uploads': () => app.send(new ListMultipartUploadsCommand({ Bucket })),
    'delete an object': () => app.send(new DeleteObjectCommand({ Bucket, Key })),
    'delete objects': async () => {
      const { Errors } = await app.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }] } }));
      if (Errors?.length) throw new Error(Errors[0]?.Code);
    },
    'copy an object out': () => app.send(new CopyObjectCommand({ Bucket: own, Key: 'copy', CopySource: `${Bucket}/${Key}` })),
    'copy an object in': async () => {
      await app.send(new PutObjectCommand({ Bucket: own, Key: 'a', Body: 'taken' }));
      await app.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${own}/a` }));
    },
    'delete the bucket': () => app.send(new DeleteBucketCommand({ Bucket })),
    "read the bucket's policy": () => app.send(new GetBucketPolicyCommand({ Bucket })),
    'open the bucket to everybody': () => app.send(new PutBucketPolicyCommand({ Bucket, Policy: open })),
    'open it by a policy of its own bucket': () => app.send(new PutBucketPolicyCommand({ Bucket: own, Policy: open })),
    'make another bucket': () => app.send(new CreateBucketCommand({ Bucket: 'another' })),
    'read without an account': () => fetchOk(`http://${ip}:9000/${Bucket}/${Key}`),
    'list the users': () => admin.admin('list-users', { method: 'GET' }),
    'look at the server': () => admin.admin('info', { method: 'GET' }),
    'look at another user': () => admin.admin('user-info', { method: 'GET', query: { accessKey: theirs.username } }),
    "look at another's policy": () => admin.admin('info-canned-policy', { method: 'GET', query: { name: `app-${theirs.username}` } }),
    'take a wider policy': () =>
      admin.admin('set-user-or-group-policy', {
        method: 'PUT',
        query: { policyName: 'readwrite', userOrGroup: mine.username, isGroup: 'false' },
      }),
    'widen its own policy': () => admin.admin('add-canned-policy', { method: 'PUT', query: { name: `app-${mine.username}` }, body: wide }),
    'make a user': () => addUser('intruder'),
    "set another's password": () => addUser(theirs.username),
    'set its own password': () => addUser(mine.username),
    'remove a user': () => admin.admin('remove-user', { method: 'DELETE', query: { accessKey: theirs.username } }),
    'make a key of its own': () => addKey({ accessKey: 'key-of-mine' }),
    'make a key for the administrator': () => addKey({ accessKey: 'key-of-root', targetUser: administrator }),
    'make a key for another user': () => addKey({ accessKey: 'key-of-them', targetUser: theirs.username }),
    'read by a temporary key with a wider policy': async () => {
      const response = await (await assumeRole(ip, mine, wide)).fetch(`http://${ip}:9000/${Bucket}/${Key}`);
      if (!response.ok) throw new Error(String(response.status));
    },
  } satisfies Record<string, () => Promise<unknown>>;
};

const nobody: Grant = { database: 'none', username: 'nobody', password: 'Nobody0123456789' };
export const attackNames = Object.keys(
  attacksOf({ ip: '127.0.0.1', mine: nobody, theirs: nobody, Bucket: '', Key: '' }),
) as (keyof ReturnType<typeof attacksOf>)[];

async function fetchOk(url: string): Promise<void> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(String(response.status));
}

/** https://docs.min.io/community/minio-object-store/developers/security-token-service/AssumeRole.html */
export async function assumeRole(ip: string, { username, password }: Grant, policy?: string): Promise<AwsClient> {
  const client = new AwsClient({ accessKeyId: username, secretAccessKey: password, service: 'sts', region: 'us-east-1', retries: 0 });
  const body = new URLSearchParams({ Action: 'AssumeRole', Version: '2011-06-15', ...(policy === undefined ? {} : { Policy: policy }) });
  const response = await client.fetch(`http://${ip}:9000/`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: body.toString(),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(answer);
  const field = (name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(answer)![1]!;
  return new AwsClient({
    accessKeyId: field('AccessKeyId'),
    secretAccessKey: field('SecretAccessKey'),
    sessionToken: field('SessionToken'),
    service: 's3',
    region: 'us-east-1',
    retries: 0,
  });
}
