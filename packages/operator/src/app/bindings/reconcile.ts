import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { isDeepStrictEqual } from 'node:util';
import { isPassing, secrets, type App, type AppBinding } from '@skipper/api';
import { NoAccountsError, type Grant } from '@skipper/engines';
import { hasReason, type KubeClient } from '@skipper/kube';
import { fieldManager } from '../../apply.ts';
import { look } from '../../caches.ts';
import { catchUpMs, keyOf, lookForFreedNamesMs } from '../../controller.ts';
import { nameOf, namespaceOf } from '../../ownership.ts';
import { newPassword } from '../../passwords.ts';
import type { Outcome as Requeue } from '../../work-queue.ts';
import { withAccess, type AccessTarget } from './access.ts';
import { toChangeAccounts, toLogIn, withoutSecrets, type BindingContext } from './context.ts';
import { awaitsEnvironment } from './environment.ts';
import type { Outcome } from './outcomes.ts';
import { nameTaken, planBindings, type BindingPlan, type Refusal } from './plan.ts';
import { letGo, readAgain, releaseBinding } from './release.ts';
import {
  bindingSecret,
  carries,
  digestOf,
  encodedChange,
  isBindingSecret,
  passwordIn,
  recordAnnotations,
  recordOf,
  type BindingRecord,
} from './secret.ts';
import { accessTarget } from './target.ts';
import { variablesOf } from './variables.ts';

/**
 * Brings one binding a step nearer to an account that works, or to none when no app wants it. The Secret is written before the
 * account is made, so that no account is ever forgotten; the app is given it once the account has been logged in with.
 */
export async function reconcileBinding(context: BindingContext, namespace: string, appName: string, service: string): Promise<Requeue> {
  const { client, caches, outcomes } = context;
  const key = keyOf(namespace, appName, service);
  const app = caches.apps.get(appName, namespace);
  const plan =
    app && !app.metadata?.deletionTimestamp ? planBindings(app, caches).find(({ entry }) => entry.service === service) : undefined;
  try {
    if (!app || !plan) {
      outcomes.forget(key);
      return await releaseBinding(context, namespace, appName, service);
    }
    if (await awaitsEnvironment(context, app)) return { requeueAfterMs: catchUpMs };
    const tell: Tell = (state, given) =>
      outcomes.set(key, { entry: plan.entry, ready: given !== undefined, ...state, ...(given === undefined ? {} : { given }) });
    const standing = plan.secret ?? (plan.refusal ? undefined : await look(client, caches.secrets, secrets, plan.secretName, namespace));
    const foreign = standing && !isBindingSecret(standing, appName, service) ? nameTaken(plan.secretName, namespace) : undefined;
    const refusal = foreign ?? plan.refusal;
    if (standing?.metadata?.deletionTimestamp && !foreign) {
      // Deleted by hand, or left by an app of this name that was there before: the next one has a password of its own.
      const { database: former = plan.database } = recordOf(standing);
      if (plan.target && !refusal && former === plan.database) {
        await letGo(client, standing);
        return {};
      }
      // No other Secret follows that would remember the account in this part: it goes first.
      tell(refusal ?? { reason: 'Binding', message: `Its account in "${former}" of the service "${service}" is removed first.` });
      return await releaseBinding(context, namespace, appName, service);
    }
    if (refusal) {
      tell(refusal);
      return refusal.reason === 'NameTaken' ? { requeueAfterMs: lookForFreedNamesMs } : {};
    }
    return await settle(context, app, plan, standing, tell);
  } catch (error) {
    if (context.stopping.aborted) return {};
    if (hasReason(error, 'Conflict')) return { requeueAfterMs: catchUpMs };
    throw error;
  }
}

/** @param given of the variables that the app is to have, when the binding is ready */
type Tell = (state: Refusal, given?: string) => void;

/** Makes Secret and account of a binding that nothing speaks against. */
async function settle(context: BindingContext, app: App, plan: BindingPlan, standing: Secret | undefined, tell: Tell): Promise<Requeue> {
  const { client, caches, outcomes, verifyEveryMs } = context;
  const { database, username, entry } = plan;
  const { engine, prefix, service } = plan.target!;
  const binding = { namespace: namespaceOf(app), app: nameOf(app), service: entry.service };
  const key = keyOf(binding.namespace, binding.app, binding.service);
  const record = recordOf(standing);
  const grant: Grant = { database, username, password: (standing && passwordIn(standing, record.prefix ?? prefix)) ?? newPassword() };
  const variables = variablesOf({ engine, prefix, ...binding, ...grant });
  const wanted: BindingRecord = { database, prefix, ...(entry.database === undefined ? {} : { asked: entry.database }) };
  const secret = standing ?? (await client.create(secrets, bindingSecret(binding, variables, wanted), { fieldManager }));

  const access = accessTarget(caches, service, engine);
  if ('reason' in access) {
    tell(access);
    return {};
  }
  const bound = { reason: 'Bound', message: `The account "${username}" has "${database}" in the service "${entry.service}".` };
  const verified = digestOf(service.metadata?.uid, access.pod.metadata?.uid, grant);
  const given = digestOf(variables);
  const settled: BindingRecord = { ...wanted, verified, given };
  const isSettled = carries(secret, variables, settled);
  if (isSettled) {
    const dueInMs = outcomes.dueInMs(key) ?? outcomes.postpone(key, Math.random() * verifyEveryMs);
    if (dueInMs > 0) {
      tell(bound, given);
      return { requeueAfterMs: dueInMs };
    }
  } else if (record.verified === undefined && !hasFailed(outcomes.get(key), entry))
    tell({ reason: 'Binding', message: `Its account in the service "${entry.service}" is being made.` });

  let current = secret;
  try {
    if (standing && record.database !== database) {
      // As the cache has it, the account that is to go may be the one that was made since.
      if ((await readAgain(client, standing))?.metadata?.resourceVersion !== standing.metadata?.resourceVersion)
        return { requeueAfterMs: catchUpMs };
      current = await moveTo(context, access, secret, username, { ...record, database });
    }
    if (!isSettled || !(await worked(context, access, plan, grant))) {
      // An operator that has been replaced without noticing must not bring back what its successor took away.
      if (standing && !(await stillStands(client, standing))) return { requeueAfterMs: catchUpMs };
      await withAccess(access, toChangeAccounts(context), (to) => plan.target!.engine.accounts.grant(to, grant));
      await withAccess(access, toLogIn(context), (to) => plan.target!.engine.accounts.verify(to, grant));
    }
  } catch (error) {
    if (hasReason(error, 'Conflict')) throw error;
    const message = withoutSecrets(error, [grant.password, access.administrator.password]);
    tell({
      reason: error instanceof NoAccountsError ? 'Unsupported' : 'AccountFailed',
      message: `Its account in the service "${entry.service}" could not be made or used: ${message}`,
    });
    throw new Error(message, { cause: error });
  }
  if (!isSettled) await write(context, current, settled, variables);
  tell(bound, given);
  return { requeueAfterMs: outcomes.postpone(key, verifyEveryMs * (1 + Math.random() / 4)) };
}

/** What has failed is not said to be under way at each new attempt: every change of the status is seen, and would be another attempt. */
function hasFailed(outcome: Outcome | undefined, entry: AppBinding): boolean {
  return outcome !== undefined && !outcome.ready && !isPassing(outcome.reason) && isDeepStrictEqual(outcome.entry, entry);
}

async function stillStands(client: KubeClient, secret: Secret): Promise<boolean> {
  const found = await readAgain(client, secret);
  return found?.metadata?.uid === secret.metadata?.uid && !found?.metadata?.deletionTimestamp;
}

async function worked(context: BindingContext, access: AccessTarget, { target }: BindingPlan, grant: Grant): Promise<boolean> {
  return withAccess(access, toLogIn(context), (to) => target!.engine.accounts.verify(to, grant)).then(
    () => true,
    () => false,
  );
}

/** Gives up the part that the app had, and notes the next one before anything is made of it. */
async function moveTo(
  context: BindingContext,
  access: AccessTarget,
  secret: Secret,
  username: string,
  next: BindingRecord,
): Promise<Secret> {
  const { database: former } = recordOf(secret);
  const accounts = access.engine.accounts;
  if (former !== undefined && accounts)
    await withAccess(access, toChangeAccounts(context), (to) => accounts.revoke(to, { username, database: former }));
  return write(context, secret, { ...next, verified: undefined });
}

async function write(
  { client }: BindingContext,
  secret: Secret,
  record: BindingRecord,
  variables?: Record<string, string>,
): Promise<Secret> {
  return client.patch(
    secrets,
    nameOf(secret),
    {
      metadata: { annotations: recordAnnotations(record), resourceVersion: secret.metadata?.resourceVersion },
      ...(variables ? { data: encodedChange(secret, variables) } : {}),
    },
    { namespace: namespaceOf(secret), fieldManager },
  );
}
