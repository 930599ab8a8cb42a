import { isDeepStrictEqual } from 'node:util';
import { childNames, mergeConditions, serviceHost, statefulServices, type StatefulService, type StatefulServiceStatus } from '@skipper/api';
import type { Engine } from '@skipper/engines';
import type { KubeClient } from '@skipper/kube';
import { fieldManager } from '../apply.ts';
import { summarize, type Judgement } from './conditions.ts';
import { nameOf, namespaceOf } from './ownership.ts';

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
  const judged = summarize(findings.judgements).map((judgement) => ({ ...judgement, observedGeneration }));
  return {
    observedGeneration,
    conditions: mergeConditions(service.status?.conditions, judged, now.toISOString().replace(/\.\d+Z$/, 'Z')),
    ...(findings.version === undefined ? {} : { version: findings.version }),
    ...(findings.storage === undefined ? {} : { storage: findings.storage }),
    ...(findings.engine ? { endpoint: { host: serviceHost(name, namespaceOf(service)), port: findings.engine.ports[0].port } } : {}),
    ...(findings.bound ? { binding: { name: childNames.credentials(name) } } : {}),
  };
}

/** Writes the status when it differs from what stands there. @returns whether it was written. */
export async function writeStatus(client: KubeClient, service: StatefulService, status: StatefulServiceStatus): Promise<boolean> {
  if (isDeepStrictEqual(normal(service.status), normal(status))) return false;
  // A merge patch keeps what it does not name: what is gone is named as null.
  const gone = Object.fromEntries(
    Object.keys(service.status ?? {})
      .filter((key) => !(key in status))
      .map((key) => [key, null]),
  );
  await client.patch(
    statefulServices,
    nameOf(service),
    { metadata: { uid: service.metadata?.uid }, status: { ...gone, ...status } },
    { namespace: namespaceOf(service), subresource: 'status', fieldManager },
  );
  return true;
}

/** Without key order and undefined. */
function normal(status: StatefulServiceStatus | undefined): unknown {
  return JSON.parse(JSON.stringify(status ?? {}));
}
