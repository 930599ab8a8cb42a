import type { User } from '../auth/identities.ts';
import type { Call } from '../http/call.ts';
import { AdminError } from './admin-error.ts';
import { parameter, sealedAnswer, sealedObject } from './request.ts';

const shortestAccessKey = 3;
const longestAccessKey = 128;
const shortestSecretKey = 8;

/** Makes a user, or sets the secret and the status of one that is there; its policies stay. */
export async function addUser(call: Call): Promise<string> {
  const accessKey = changeableUser(call);
  if (
    accessKey.length < shortestAccessKey ||
    accessKey.length > longestAccessKey ||
    !/^[\x21-\x7e]+$/.test(accessKey) ||
    /[=,]/.test(accessKey)
  )
    throw new AdminError('XMinioAdminInvalidAccessKey');
  const { secretKey, status, policy } = await sealedObject(call);
  if (typeof secretKey !== 'string' || secretKey.length < shortestSecretKey) throw new AdminError('XMinioAdminInvalidSecretKey');
  const enabled = status === undefined || isEnabled(status);
  const policies = typeof policy === 'string' && policy !== '' ? { policies: existingPolicies(call, policy) } : {};
  await call.identities.setUser(accessKey, { secretKey, enabled, ...policies });
  return '';
}

export async function removeUser(call: Call): Promise<string> {
  if (!(await call.identities.removeUser(parameter(call, 'accessKey')))) throw new AdminError('XMinioAdminNoSuchUser');
  return '';
}

export function listUsers(call: Call): Promise<Buffer> {
  return sealedAnswer(call, Object.fromEntries(call.identities.users().map((user) => [user.accessKey, description(user)])));
}

export async function userInfo(call: Call): Promise<string> {
  return JSON.stringify(description(existingUser(call, parameter(call, 'accessKey'))));
}

export async function setUserStatus(call: Call): Promise<string> {
  const { accessKey } = existingUser(call, changeableUser(call));
  await call.identities.setUser(accessKey, { enabled: isEnabled(parameter(call, 'status')) });
  return '';
}

/** @throws AdminError */
export function existingUser({ identities }: Call, accessKey: string): User {
  const user = identities.user(accessKey);
  if (!user) throw new AdminError('XMinioAdminNoSuchUser');
  return user;
}

/** @param names with commas between. @throws AdminError for one that there is not */
export function existingPolicies({ identities }: Call, names: string): string[] {
  const policies = names.split(',').map((name) => name.trim());
  if (policies.some((name) => identities.policy(name) === undefined)) throw new AdminError('XMinioAdminNoSuchPolicy');
  return policies;
}

function changeableUser(call: Call): string {
  const accessKey = parameter(call, 'accessKey');
  if (accessKey === call.identities.administrator.accessKey) throw new AdminError('XMinioInvalidIAMCredentials');
  return accessKey;
}

function isEnabled(status: unknown): boolean {
  if (status !== 'enabled' && status !== 'disabled') throw new AdminError('XMinioAdminInvalidArgument');
  return status === 'enabled';
}

function description({ enabled, policies }: User): Record<string, string> {
  return {
    ...(policies.length === 0 ? {} : { policyName: policies.join(',') }),
    status: enabled ? 'enabled' : 'disabled',
  };
}
