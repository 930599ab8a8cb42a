import { appConditionTypes, apps, deployments, ingresses, services, type App, type KubeObject, type ResourceType } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import { ensure, rejectionOf } from '../apply.ts';
import { isFalse, isTrue, type Judgement } from '../conditions.ts';
import { catchUpMs, lookForFreedNamesMs, retryRejectedMs, type ReconcilerContext } from '../controller.ts';
import { isOwned, nameOf, nameProblem, namespaceOf } from '../ownership.ts';
import { report } from '../status.ts';
import type { Outcome } from '../work-queue.ts';
import { awaitsEnvironment } from './bindings/environment.ts';
import { judgeBindings } from './bindings/judge.ts';
import type { Outcomes } from './bindings/outcomes.ts';
import { planBindings } from './bindings/plan.ts';
import { deployment, type GivenBinding } from './deployment.ts';
import { ingress, service } from './network.ts';
import { observe, type Observed } from './observe.ts';
import { foreignObjects } from './ownership.ts';
import { refusal } from './refusal.ts';
import { statusOf, type Findings } from './status.ts';
import type { WorkloadState } from '../pod-state.ts';
import { workloadState } from './workload-state.ts';

export interface AppContext extends ReconcilerContext {
  outcomes: Pick<Outcomes, 'get'>;
}

/** Brings one app a step nearer to what its spec wants, and reports. Accounts are the business of its bindings. */
export async function reconcileApp(context: AppContext, namespace: string, name: string): Promise<Outcome> {
  const app = context.caches.apps.get(name, namespace);
  // What was made for it is collected by its owner reference.
  if (!app || app.metadata?.deletionTimestamp) return {};
  // What is said of its bindings is kept to, as what their Secrets say.
  if (await awaitsEnvironment(context, app)) return { requeueAfterMs: catchUpMs };
  const seen = await observe(context.client, context.caches, app);
  const { findings, requeueAfterMs } = await act(context, app, seen);
  await report(context, apps, app, statusOf(app, findings, context.now()));
  return { requeueAfterMs };
}

interface Pass {
  findings: Findings;
  requeueAfterMs?: number;
}

async function act(context: AppContext, app: App, seen: Observed): Promise<Pass> {
  const workload = workloadState(seen.deployment, seen.pods);
  const bindings = judgeBindings(app, planBindings(app, context.caches), context.outcomes, seen.deployment);
  const found = (judgements: Judgement[]): Findings => ({ judgements, bindings: bindings.statuses, workload });
  const problem = refusal(app, context.processes);
  if (problem !== undefined) return { findings: found([isFalse(appConditionTypes.workloadReady, 'InvalidSpec', problem)]) };

  const foreign = foreignObjects(app, seen);
  if (foreign.length > 0) {
    const { reason, message } = nameProblem(foreign, app, 'app');
    return { findings: found([isFalse(appConditionTypes.nameFree, reason, message)]), requeueAfterMs: lookForFreedNamesMs };
  }
  const basis = [isTrue(appConditionTypes.nameFree, 'NameFree', 'Nothing else uses the names of its objects.'), bindings.judgement];
  if (bindings.contradiction) return { findings: found([...basis, judged(workload)]) };

  // Without all its variables an app would start only to fail; one that runs goes on with those it has.
  const starts = seen.deployment !== undefined || bindings.complete;
  const made = await makeObjects(context, app, seen, starts ? bindings.given : undefined);
  if (made.rejection !== undefined) {
    const rejected = isFalse(appConditionTypes.workloadReady, 'Rejected', made.rejection);
    return { findings: found([...basis, rejected]), requeueAfterMs: retryRejectedMs };
  }
  const waiting = isFalse(appConditionTypes.workloadReady, 'Creating', 'It starts when all its bindings are ready.');
  // What was seen is the Deployment of before the change, which may well be ready; the change comes back as an event.
  const changing = isFalse(appConditionTypes.workloadReady, 'Updating', 'Its pods are being changed.');
  const stale = made.changed && seen.deployment !== undefined;
  return { findings: found([...basis, !starts ? waiting : stale ? changing : judged(workload)]) };
}

function judged({ ready, reason, message }: WorkloadState): Judgement {
  return (ready ? isTrue : isFalse)(appConditionTypes.workloadReady, reason, message);
}

/**
 * @param bindings undefined when its pods are not to be made yet
 * @returns whether the Deployment was written, and why the API server does not take it as it is.
 */
async function makeObjects(
  { client, serverMinor }: ReconcilerContext,
  app: App,
  seen: Observed,
  bindings: readonly GivenBinding[] | undefined,
): Promise<{ changed: boolean; rejection?: string }> {
  const { port, host } = app.spec;
  try {
    if (port !== undefined) await ensure(client, services, seen.service, service(app, port));
    else await remove(client, services, seen.service, app);
    if (port !== undefined && host !== undefined) await ensure(client, ingresses, seen.ingress, ingress(app, host, port));
    else await remove(client, ingresses, seen.ingress, app);
    const changed = bindings !== undefined && (await ensure(client, deployments, seen.deployment, deployment(app, bindings, serverMinor)));
    return { changed };
  } catch (error) {
    const rejection = rejectionOf(error);
    if (rejection === undefined) throw error;
    return { changed: false, rejection };
  }
}

async function remove<T extends KubeObject>(client: KubeClient, type: ResourceType<T>, object: T | undefined, app: App): Promise<void> {
  if (!object || !isOwned(object, app) || object.metadata?.deletionTimestamp) return;
  await client.delete(type, nameOf(object), { namespace: namespaceOf(app), uid: object.metadata?.uid });
}
