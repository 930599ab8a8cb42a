import type { Call } from '../http/call.ts';
import { AdminError } from './admin-error.ts';
import { bodyOf, parameter, sealedAnswer, sealedObject } from './request.ts';
import { existingPolicies, existingUser } from './users.ts';

export async function addPolicy(call: Call): Promise<string> {
  const name = parameter(call, 'name');
  const document = (await bodyOf(call)).toString();
  await call.identities.setPolicy(name, document).catch((error: Error & { code?: string }) => {
    // A disk's error has a code; what is wrong with a policy is a sentence.
    throw error.code === undefined ? new AdminError('XMinioMalformedIAMPolicy', error.message) : error;
  });
  return '';
}

/** Does nothing when there is no such policy, as MinIO. */
export async function removePolicy(call: Call): Promise<string> {
  const name = parameter(call, 'name');
  if (call.identities.users().some(({ policies }) => policies.includes(name))) throw new AdminError('XMinioIAMPolicyInUse');
  await call.identities.removePolicy(name);
  return '';
}

export async function listPolicies({ identities }: Call): Promise<string> {
  return JSON.stringify(Object.fromEntries(identities.policies().map((name) => [name, JSON.parse(identities.policy(name)!) as object])));
}

export async function policyInfo(call: Call): Promise<string> {
  const name = parameter(call, 'name');
  const text = call.identities.policy(name);
  if (text === undefined) throw new AdminError('XMinioAdminNoSuchPolicy');
  const policy = JSON.parse(text) as object;
  return JSON.stringify(call.query.get('v') === '2' ? { PolicyName: name, Policy: policy } : policy);
}

/** The policies named take the place of all that the user had. */
export async function setPolicies(call: Call): Promise<string> {
  if (call.query.get('isGroup') === 'true') throw new AdminError('NotImplemented', 'This server has no groups.');
  const { accessKey } = existingUser(call, parameter(call, 'userOrGroup'));
  const names = call.query.get('policyName') ?? '';
  await call.identities.setUser(accessKey, { policies: names === '' ? [] : existingPolicies(call, names) });
  return '';
}

export async function attachPolicies(call: Call): Promise<Buffer> {
  const { accessKey, before, named } = await association(call);
  const added = named.filter((name) => !before.includes(name));
  if (added.length === 0) throw new AdminError('XMinioAdminPolicyChangeAlreadyApplied');
  await call.identities.setUser(accessKey, { policies: [...before, ...added] });
  return sealedAnswer(call, { policiesAttached: added, updatedAt: new Date().toISOString() });
}

export async function detachPolicies(call: Call): Promise<Buffer> {
  const { accessKey, before, named } = await association(call);
  const removed = named.filter((name) => before.includes(name));
  if (removed.length === 0) throw new AdminError('XMinioAdminPolicyChangeAlreadyApplied');
  await call.identities.setUser(accessKey, { policies: before.filter((name) => !removed.includes(name)) });
  return sealedAnswer(call, { policiesDetached: removed, updatedAt: new Date().toISOString() });
}

async function association(call: Call): Promise<{ accessKey: string; before: string[]; named: string[] }> {
  const { policies, user, group } = await sealedObject(call);
  if (typeof group === 'string' && group !== '') throw new AdminError('NotImplemented', 'This server has no groups.');
  if (typeof user !== 'string' || !Array.isArray(policies)) throw new AdminError('XMinioAdminInvalidArgument');
  const { accessKey, policies: before } = existingUser(call, user);
  return { accessKey, before, named: existingPolicies(call, policies.join(',')) };
}
