import { childNames, mergeConditions, serviceHost, type StatefulService, type StatefulServiceStatus } from '@skipper/api';
import type { Engine } from '@skipper/engines';
import { timeText, withStalled, type Judgement } from '../conditions.ts';
import { nameOf, namespaceOf } from '../ownership.ts';
import { summarize } from './conditions.ts';

export interface Findings {
  judgements: readonly Judgement[];
  engine?: Engine;
  version?: string;
  storage?: string;
  /** Whether the Secret with the connection details exists. */
  bound: boolean;
}

/** The status that the findings of a pass amount to. */
export function statusOf(service: StatefulService, findings: Findings, now: Date): StatefulServiceStatus {
  const observedGeneration = service.metadata?.generation;
  const name = nameOf(service);
  const judged = withStalled(summarize(findings.judgements)).map((judgement) => ({ ...judgement, observedGeneration }));
  return {
    observedGeneration,
    conditions: mergeConditions(service.status?.conditions, judged, timeText(now)),
    ...(findings.version === undefined ? {} : { version: findings.version }),
    ...(findings.storage === undefined ? {} : { storage: findings.storage }),
    ...(findings.engine ? { endpoint: { host: serviceHost(name, namespaceOf(service)), port: findings.engine.ports[0].port } } : {}),
    ...(findings.bound ? { binding: { name: childNames.credentials(name) } } : {}),
  };
}
