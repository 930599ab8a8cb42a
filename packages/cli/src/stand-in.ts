import { childNames, pods, standInOf, type StatefulService } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import { note } from './output.ts';

/**
 * The program that the embedded cluster runs where it has not the engine itself. `undefined` for the engine, and where it cannot be told:
 * while nothing runs, or to somebody who may not see pods.
 */
export async function findStandIn(client: KubeClient, service: StatefulService): Promise<string | undefined> {
  const { name, namespace } = service.metadata!;
  const pod = await client.find(pods, childNames.pod(name!), { namespace: namespace! }).catch(() => undefined);
  return standInOf(pod?.status?.containerStatuses?.[0]?.imageID ?? '');
}

export function noteStandIn(service: StatefulService, program: string | undefined): void {
  if (program) note(`  On this cluster ${program} stands in for ${service.spec.type}; see docs/engines/${service.spec.type}.md.`);
}
