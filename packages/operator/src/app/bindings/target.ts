import { childNames, conditionTypes, findCondition, type StatefulService } from '@skipper/api';
import type { Engine } from '@skipper/engines';
import type { Caches } from '../../caches.ts';
import { nameOf, namespaceOf } from '../../ownership.ts';
import { isPodReady } from '../../pod-state.ts';
import type { AccessTarget } from './access.ts';
import type { Refusal } from './plan.ts';

/** Where the engine of a service can be worked at, or what that waits for. */
export function accessTarget(caches: Pick<Caches, 'pods' | 'secrets'>, service: StatefulService, engine: Engine): AccessTarget | Refusal {
  const [name, namespace] = [nameOf(service), namespaceOf(service)];
  const pod = caches.pods.get(childNames.pod(name), namespace);
  if (!pod?.status?.podIP || pod.metadata?.deletionTimestamp || !isPodReady(pod)) {
    const ready = findCondition(service.status?.conditions, conditionTypes.ready);
    const why = ready && ready.status !== 'True' ? ` ${ready.message}` : '';
    return { reason: 'ServiceNotReady', message: `Waits for the service "${name}" to be ready.${why}` };
  }
  const secretName = childNames.credentials(name);
  const [username, password] = ['username', 'password'].map((key) => caches.secrets.get(secretName, namespace)?.data?.[key]);
  if (!username || !password)
    return { reason: 'ServiceNotReady', message: `Waits for the credentials of the service "${name}" in the Secret "${secretName}".` };
  const decoded = (value: string): string => Buffer.from(value, 'base64').toString();
  return { engine, pod, administrator: { username: decoded(username), password: decoded(password) } };
}
