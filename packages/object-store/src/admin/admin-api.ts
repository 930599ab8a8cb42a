import { S3Error } from '../errors.ts';
import type { Call } from '../http/call.ts';
import type { Extension } from '../http/server.ts';
import { AdminError } from './admin-error.ts';
import { addPolicy, attachPolicies, detachPolicies, listPolicies, policyInfo, removePolicy, setPolicies } from './policies.ts';
import { serverInfo } from './server-info.ts';
import { addUser, listUsers, removeUser, setUserStatus, userInfo } from './users.ts';

/** One call of the API: what its caller must be allowed, and what it does. @returns the answer's body */
interface AdminCall {
  action: string;
  run(call: Call): Promise<string | Buffer>;
}

const prefix = '/minio/admin/';
/** The one that clients of the last years speak; those of v4 differ in nothing that is here. */
const version = /^v[34]\//;

// https://github.com/minio/minio/blob/master/cmd/admin-router.go
const calls: Record<string, AdminCall> = {
  'PUT add-user': { action: 'admin:CreateUser', run: addUser },
  'DELETE remove-user': { action: 'admin:DeleteUser', run: removeUser },
  'GET list-users': { action: 'admin:ListUsers', run: listUsers },
  'GET user-info': { action: 'admin:GetUser', run: userInfo },
  'PUT set-user-status': { action: 'admin:EnableUser', run: setUserStatus },
  'PUT add-canned-policy': { action: 'admin:CreatePolicy', run: addPolicy },
  'DELETE remove-canned-policy': { action: 'admin:DeletePolicy', run: removePolicy },
  'GET list-canned-policies': { action: 'admin:ListUserPolicies', run: listPolicies },
  'GET info-canned-policy': { action: 'admin:GetPolicy', run: policyInfo },
  'PUT set-user-or-group-policy': { action: 'admin:AttachUserOrGroupPolicy', run: setPolicies },
  'POST idp/builtin/policy/attach': { action: 'admin:AttachUserOrGroupPolicy', run: attachPolicies },
  'POST idp/builtin/policy/detach': { action: 'admin:UpdatePolicyAssociation', run: detachPolicies },
  'GET info': { action: 'admin:ServerInfo', run: serverInfo },
};

/** What is served of MinIO's admin API: users, their policies, and that the server is there. */
export const adminApi: Extension = {
  prefix,
  async handle(call, path) {
    try {
      const body = Buffer.from(await answer(call, path.slice(prefix.length)));
      call.response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
    } catch (error) {
      if (!(error instanceof AdminError) && !(error instanceof S3Error && error.status < 500)) throw error;
      const body = Buffer.from(JSON.stringify({ Code: error.code, Message: error.message, Resource: path }));
      call.response.writeHead(error.status, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
    }
  },
};

async function answer(call: Call, path: string): Promise<string | Buffer> {
  // A link that was given away must not be one to the administrator's powers.
  if (call.signed.presigned) throw new S3Error('AccessDenied');
  const name = `${call.request.method} ${path.replace(version, '')}`;
  const found = version.test(path) && Object.hasOwn(calls, name) ? calls[name] : undefined;
  // Before it is said that there is no such call: who may do nothing learns nothing.
  call.require(found?.action ?? 'admin:*');
  if (!found) throw new AdminError('XMinioAdminVersionMismatch');
  return await found.run(call);
}
