import { appConditionTypes, apps, deployments, ingresses, services, type App, type KubeObject, type ResourceType } from '@skipper/api';
import { hasReason, KubeError, type KubeClient } from '@skipper/kube';
import { ensure } from '../apply.ts';
import { isFalse, isTrue, type Judgement } from '../conditions.ts';
import { lookForFreedNamesMs, type ReconcilerContext } from '../controller.ts';
import { isOwned, nameOf, namespaceOf } from '../ownership.ts';
import { report } from '../status.ts';
import type { Outcome } from '../work-queue.ts';
import { deployment, type GivenBinding } from './deployment.ts';
import { ingress, service } from './network.ts';
import { observe, type Observed } from './observe.ts';
import { foreignObjects } from './ownership.ts';
import { refusal } from './refusal.ts';
import { statusOf, type Findings } from './status.ts';
import { workloadState } from './workload-state.ts';

/** Brings one app a step nearer to what its spec wants, and reports. */
export async function reconcileApp(context: ReconcilerContext, namespace: string, name: string): Promise<Outcome> {
  const app = context.caches.apps.get(name, namespace);
  // What was made for it is collected by its owner reference.
  if (!app || app.metadata?.deletionTimestamp) return {};
  const seen = await observe(context.client, context.caches, app);
  const { findings, requeueAfterMs } = await act(context, app, seen);
  await report(context, apps, app, statusOf(app, findings, context.now()));
  return { requeueAfterMs };
}

interface Pass {
  findings: Findings;
  requeueAfterMs?: number;
}

async function act(context: ReconcilerContext, app: App, seen: Observed): Promise<Pass> {
  const workload = workloadState(seen.deployment, seen.pods);
  const found = (judgements: Judgement[]): Findings => ({ judgements, bindings: [], workload });
  const problem = refusal(app, context.processes);
  if (problem !== undefined) return { findings: found([isFalse(appConditionTypes.workloadReady, 'InvalidSpec', problem)]) };

  const foreign = foreignObjects(app, seen);
  if (foreign.length > 0) {
    const [were, them] = foreign.length > 1 ? ['were', 'them'] : ['was', 'it'];
    const message = `${foreign.join(' and ')} in namespace "${namespaceOf(app)}" ${were} not made for this app and will not be touched. Delete or rename ${them}, or choose another name for the app.`;
    return { findings: found([isFalse(appConditionTypes.nameFree, 'NameTaken', message)]), requeueAfterMs: lookForFreedNamesMs };
  }
  const nameFree = isTrue(appConditionTypes.nameFree, 'NameFree', 'Nothing else uses the names of its objects.');

  const refused = await makeWorkload(context, app, seen, []);
  if (refused !== undefined) return { findings: found([nameFree, isFalse(appConditionTypes.workloadReady, 'Rejected', refused)]) };
  const { ready, reason, message } = workload;
  const judged = ready
    ? isTrue(appConditionTypes.workloadReady, reason, message)
    : isFalse(appConditionTypes.workloadReady, reason, message);
  return { findings: found([nameFree, judged]) };
}

/** @returns why the API server does not take it, when it never will. */
async function makeWorkload(
  { client, serverMinor }: ReconcilerContext,
  app: App,
  seen: Observed,
  bindings: readonly GivenBinding[],
): Promise<string | undefined> {
  const { port, host } = app.spec;
  try {
    if (port !== undefined) await ensure(client, services, seen.service, service(app, port));
    else await remove(client, services, seen.service, app);
    if (port !== undefined && host !== undefined) await ensure(client, ingresses, seen.ingress, ingress(app, host, port));
    else await remove(client, ingresses, seen.ingress, app);
    await ensure(client, deployments, seen.deployment, deployment(app, bindings, serverMinor));
    return undefined;
  } catch (error) {
    if (error instanceof KubeError && hasReason(error, 'Invalid')) return error.message;
    throw error;
  }
}

async function remove<T extends KubeObject>(client: KubeClient, type: ResourceType<T>, object: T | undefined, app: App): Promise<void> {
  if (!object || !isOwned(object, app) || object.metadata?.deletionTimestamp) return;
  await client.delete(type, nameOf(object), { namespace: namespaceOf(app), uid: object.metadata?.uid });
}
