import { appConditionTypes, type App, type AppBindingStatus } from '@skipper/api';
import { isDeepStrictEqual } from 'node:util';
import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import { isFalse, isStalling, isTrue, type Judgement } from '../../conditions.ts';
import { keyOf } from '../../controller.ts';
import { nameOf, namespaceOf } from '../../ownership.ts';
import { bindingsIn, type GivenBinding } from '../deployment.ts';
import type { Outcome, Outcomes } from './outcomes.ts';
import type { BindingPlan, Refusal } from './plan.ts';
import { recordOf } from './secret.ts';

/** What an app's bindings amount to for its workload and its status. */
export interface BindingsJudgement {
  judgement: Judgement;
  statuses: AppBindingStatus[];
  /** Those whose variables the pods get: because they have been seen to work, or because the pods that run have them already. */
  given: GivenBinding[];
  /** Whether every binding is among those. */
  complete: boolean;
  /** Why the spec contradicts itself: then nothing is changed. */
  contradiction: Refusal | undefined;
}

export function judgeBindings(
  app: App,
  plans: readonly BindingPlan[],
  outcomes: Pick<Outcomes, 'get'>,
  current: Deployment | undefined,
): BindingsJudgement {
  const statuses = plans.map((plan) => statusOf(app, plan, outcomes));
  const running = bindingsIn(current?.spec?.template.metadata);
  const given = plans.flatMap(({ secret, secretName, entry: { service } }): GivenBinding[] => {
    const digest = (secret?.metadata?.deletionTimestamp ? undefined : recordOf(secret).given) ?? running.get(service);
    return digest === undefined ? [] : [{ service, secret: secretName, digest }];
  });
  return {
    judgement: summaryOf(statuses),
    statuses,
    given,
    complete: given.length === plans.length,
    contradiction: plans.find(({ refusal }) => refusal?.reason === 'VariablesCollide')?.refusal,
  };
}

function statusOf(app: App, plan: BindingPlan, outcomes: Pick<Outcomes, 'get'>): AppBindingStatus {
  const { entry, secretName: secret, database, username, refusal } = plan;
  const outcome = outcomes.get(keyOf(namespaceOf(app), nameOf(app), entry.service));
  const { ready, reason, message } = refusal
    ? { ready: false, ...refusal }
    : outcome && isDeepStrictEqual(outcome.entry, entry)
      ? seen(outcome, plan)
      : before(app, plan);
  return { service: entry.service, secret, database, username, ready, reason, message };
}

/** What was just written to the Secret may not have come back yet: until then the pods are not given it, and are none the newer. */
function seen(outcome: Outcome, { secret, entry }: BindingPlan): Pick<Outcome, 'ready' | 'reason' | 'message'> {
  if (!outcome.ready || recordOf(secret).given === outcome.given) return outcome;
  return { ready: false, reason: 'Binding', message: `The app is being given its account in the service "${entry.service}".` };
}

/** What is said of a binding that this process has not worked on yet: what was said of it before, where it is still the same. */
function before(app: App, { entry, database }: BindingPlan): Pick<Outcome, 'ready' | 'reason' | 'message'> {
  const known = app.status?.bindings?.find(({ service }) => service === entry.service);
  if (known && known.database === database && app.status?.observedGeneration === app.metadata?.generation) return known;
  return { ready: false, reason: 'Binding', message: `The binding to "${entry.service}" is being made.` };
}

function summaryOf(statuses: readonly AppBindingStatus[]): Judgement {
  const type = appConditionTypes.bindingsReady;
  if (statuses.length === 0) return isTrue(type, 'NoBindings', 'It is bound to no service.');
  const open = statuses.filter(({ ready }) => !ready);
  // One that waits for a person keeps the app from being ready, however the others fare.
  const decisive = open.find(({ reason }) => isStalling(reason)) ?? open[0];
  if (decisive) return isFalse(type, decisive.reason, [...new Set(open.map(({ message }) => message))].join(' '));
  return isTrue(type, 'Bound', `It is bound to ${statuses.map(({ service }) => `"${service}"`).join(', ')}.`);
}
