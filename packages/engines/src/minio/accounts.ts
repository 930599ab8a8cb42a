import { administrator, type Accounts, type ServiceAccess } from '../engine.ts';
import { defaultBucket, refusesBucket } from './bucket-names.ts';
import type { StoreClient } from './store-client.ts';

/** What an upload is called that is begun to see whether the account may write, and never becomes an object. */
const trialKey = '.skipper-write-check';

/** An account is a user with a policy of its own, for its bucket and nothing else. */
export const minioAccounts: Accounts = {
  defaultDatabase: defaultBucket,
  refusesDatabase: refusesBucket,

  async grant(access, { database, username, password }) {
    requireAppUser(username);
    const client = await signIn(access, access.administrator);
    await allowing(['BucketAlreadyOwnedByYou'], () => client.s3(`/${database}`, { method: 'PUT' }));
    const policyName = policyOf(username);
    await client.admin('add-canned-policy', { method: 'PUT', query: { name: policyName }, body: policyFor(database) });
    // Keys that were made of an old password would outlive its change.
    if (!(await hasPassword(access, username, password, database))) await removeUser(client, username);
    const user = { secretKey: password, status: 'enabled' };
    await client.adminSealed('add-user', { method: 'PUT', query: { accessKey: username }, body: JSON.stringify(user) });
    await leaveGroups(client, username);
    // Takes the place of all policies that the user had.
    const assignment = { policyName, userOrGroup: username, isGroup: 'false' };
    await client.admin('set-user-or-group-policy', { method: 'PUT', query: assignment });
  },

  async verify(access, grant) {
    const client = await signIn(access, grant);
    await client.s3(`/${grant.database}`, { method: 'GET', query: { 'list-type': '2', 'max-keys': '1' } });
    const trial = `/${grant.database}/${trialKey}`;
    const begun = await client.s3(trial, { method: 'POST', query: { uploads: '' } });
    const uploadId = /<UploadId>([^<]+)<\/UploadId>/.exec(begun)?.[1];
    if (uploadId === undefined) throw new Error(`Bucket "${grant.database}" answers an upload's begin without its identifier.`);
    await client.s3(trial, { method: 'DELETE', query: { uploadId } });
  },

  async revoke(access, { username, database }) {
    requireAppUser(username);
    const client = await signIn(access, access.administrator);
    await removeUser(client, username);
    // The bucket may be open to everybody by the app's own policy, which the next app would not know of. The object store has none.
    await allowing(['NoSuchBucket', 'NoSuchBucketPolicy', 'NotImplemented'], () =>
      client.s3(`/${database}`, { method: 'DELETE', query: { policy: '' } }),
    );
    // In use when somebody gave it to another user by hand: then it is theirs to remove.
    await allowing(['XMinioAdminNoSuchPolicy', 'XMinioIAMPolicyInUse'], () =>
      client.admin('remove-canned-policy', { method: 'DELETE', query: { name: policyOf(username) } }),
    );
  },
};

const policyOf = (username: string): string => `app-${username}`;

/**
 * Everything with the bucket, which is the app's own. Without the denial MinIO lets every user change its password and make
 * keys, which would outlive a new password. https://docs.min.io/community/minio-object-store/administration/identity-access-management/policy-based-access-control.html
 */
function policyFor(bucket: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['s3:*'], Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`] },
      { Effect: 'Deny', Action: ['admin:*'] },
    ],
  });
}

async function signIn(access: ServiceAccess, account: { username: string; password: string }): Promise<StoreClient> {
  const [{ StoreClient }, { host, port }] = await Promise.all([import('./store-client.ts'), access.endpoint('s3')]);
  return new StoreClient({ host, port, username: account.username, password: account.password, signal: access.signal });
}

/** Whether there is such a user with this password, whatever it may do. */
async function hasPassword(access: ServiceAccess, username: string, password: string, bucket: string): Promise<boolean> {
  const client = await signIn(access, { username, password });
  const refusals = ['InvalidAccessKeyId', 'SignatureDoesNotMatch'];
  const answer = await allowing(['AccessDenied', ...refusals], () => client.s3(`/${bucket}`, { method: 'GET', query: { location: '' } }));
  return !refusals.includes(answer);
}

async function removeUser(client: StoreClient, username: string): Promise<void> {
  await allowing(['XMinioAdminNoSuchUser'], () => client.admin('remove-user', { method: 'DELETE', query: { accessKey: username } }));
  // MinIO keeps temporary keys of a user that is gone: they would work again for the next one of that name. Releases before the
  // call, and the object store, which makes no such keys, do not know it.
  await allowing(['XMinioAdminVersionMismatch'], () =>
    client.admin('revoke-tokens/builtin', { method: 'POST', query: { user: username, fullRevoke: 'true' } }),
  );
}

async function leaveGroups(client: StoreClient, username: string): Promise<void> {
  const { memberOf } = JSON.parse(await client.admin('user-info', { method: 'GET', query: { accessKey: username } })) as {
    memberOf?: string[];
  };
  for (const group of memberOf ?? []) {
    const change = { group, members: [username], isRemove: true };
    await client.admin('update-group-members', { method: 'PUT', body: JSON.stringify(change) });
  }
}

/** @returns the code of an expected refusal, or nothing. */
async function allowing(codes: readonly string[], request: () => Promise<unknown>): Promise<string> {
  const { StoreError } = await import('./store-client.ts');
  try {
    await request();
    return '';
  } catch (error) {
    if (error instanceof StoreError && codes.includes(error.code)) return error.code;
    throw error;
  }
}

function requireAppUser(username: string): void {
  if (username === administrator) throw new Error(`The user "${username}" is not an app's.`);
}
