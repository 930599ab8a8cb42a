import { appConditionTypes, labels, managedBy, mergeConditions, type App, type AppBindingStatus, type AppStatus } from '@skipper/api';
import { timeText, withStalled, type Judgement } from '../conditions.ts';
import { nameOf } from '../ownership.ts';
import type { AppWorkloadState } from './workload-state.ts';

export interface Findings {
  judgements: readonly Judgement[];
  bindings: readonly AppBindingStatus[];
  workload: AppWorkloadState;
}

/** The status that the findings of a pass amount to. */
export function statusOf(app: App, { judgements, bindings, workload }: Findings, now: Date): AppStatus {
  const observedGeneration = app.metadata?.generation;
  const judged = withStalled(summarize(judgements)).map((judgement) => ({ ...judgement, observedGeneration }));
  return {
    observedGeneration,
    conditions: mergeConditions(app.status?.conditions, judged, timeText(now)),
    replicas: workload.replicas,
    readyReplicas: workload.readyReplicas,
    selector: `${labels.app}=${nameOf(app)},${labels.managedBy}=${managedBy}`,
    ...(bindings.length > 0 ? { bindings: [...bindings] } : {}),
    ...(app.spec.host === undefined ? {} : { url: `http://${app.spec.host}` }),
  };
}

/** `Ready` with the reason and message of what stands in the way: of the workload, when nothing else does. */
export function summarize(judgements: readonly Judgement[]): Judgement[] {
  const decisive =
    judgements.find(({ status }) => status !== 'True') ?? judgements.find(({ type }) => type === appConditionTypes.workloadReady);
  return decisive ? [{ ...decisive, type: appConditionTypes.ready }, ...judgements] : [...judgements];
}
