import type { Pod, Secret } from 'kubernetes-types/core/v1.d.ts';
import { appChildNames, childNames, labels, secrets } from '@skipper/api';
import { findEngine, NoAccountsError } from '@skipper/engines';
import { hasReason, type KubeClient } from '@skipper/kube';
import { fieldManager } from '../../apply.ts';
import { nameOf, namespaceOf } from '../../ownership.ts';
import type { Outcome } from '../../work-queue.ts';
import { bindingsIn } from '../deployment.ts';
import { withAccess } from './access.ts';
import { usernameOf } from './account.ts';
import { toChangeAccounts, withoutSecrets, type BindingContext } from './context.ts';
import { accountFinalizer, isBindingSecret, recordOf } from './secret.ts';
import { accessTarget } from './target.ts';

/** How long pods that still have the variables may go on with them while those that follow them start. */
const handOverMs = 60_000;
const lookAtPodsEveryMs = 1_000;

/** Takes a binding back that no app wants: Secret and account, never the data. An engine that is down is waited for. */
export async function releaseBinding(context: BindingContext, namespace: string, app: string, service: string): Promise<Outcome> {
  const { client, caches } = context;
  const secret = caches.secrets.get(appChildNames.binding(app, service), namespace);
  if (!secret || !isBindingSecret(secret, app, service)) return {};
  const deletedAt = secret.metadata?.deletionTimestamp;
  if (!deletedAt) {
    // It stays, because of its finalizer, until the account is gone.
    await client.delete(secrets, nameOf(secret), { namespace, uid: secret.metadata?.uid });
    return {};
  }
  if (!secret.metadata?.finalizers?.includes(accountFinalizer)) return {};
  const target = caches.statefulServices.get(service, namespace);
  const engine = target && !target.metadata?.deletionTimestamp ? findEngine(target.spec.type) : undefined;
  const { database } = recordOf(secret);
  // The account lies on the volume, and would be back with it: it is removed when the service returns, or goes with the volume.
  if (!engine && database !== undefined && caches.claims.get(childNames.claim(service), namespace)) return {};
  if (target && engine && database !== undefined) {
    const handedOver = context.now().getTime() - Date.parse(`${deletedAt}`) > handOverMs;
    const inUse = caches.pods.list(namespace).some((pod) => isOf(pod, app) && bindingsIn(pod.metadata).has(service));
    if (inUse && !handedOver) return { requeueAfterMs: lookAtPodsEveryMs };
    const access = accessTarget(caches, target, engine);
    if ('reason' in access) return {};
    // Another Secret may have followed that the cache has not heard of: the account is then that one's.
    const found = await readAgain(client, secret);
    if (found?.metadata?.uid !== secret.metadata?.uid) return {};
    const username = usernameOf(app);
    try {
      await withAccess(access, toChangeAccounts(context), (to) => engine.accounts.revoke(to, { username, database }));
    } catch (error) {
      // Where there are none, none is left.
      if (error instanceof NoAccountsError) return await letGo(client, secret).then(() => ({}));
      const why = withoutSecrets(error, [access.administrator.password]);
      throw new Error(`the account "${username}" in the service "${service}" could not be removed: ${why}`, { cause: error });
    }
  }
  await letGo(client, secret);
  return {};
}

/** What stands at the name of a Secret, from the server. */
export function readAgain(client: KubeClient, secret: Secret): Promise<Secret | undefined> {
  return client.find(secrets, nameOf(secret), { namespace: namespaceOf(secret) });
}

function isOf(pod: Pod, app: string): boolean {
  return pod.metadata?.labels?.[labels.app] === app;
}

/** Takes the finalizer off. */
export async function letGo(client: KubeClient, secret: Secret): Promise<void> {
  const finalizers = secret.metadata?.finalizers?.filter((finalizer) => finalizer !== accountFinalizer);
  try {
    await client.patch(
      secrets,
      nameOf(secret),
      { metadata: { finalizers, resourceVersion: secret.metadata?.resourceVersion } },
      { namespace: namespaceOf(secret), fieldManager },
    );
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
  }
}
