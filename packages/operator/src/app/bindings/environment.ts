import { appChildNames, labels, namespaces, type App } from '@skipper/api';
import type { ReconcilerContext } from '../../controller.ts';
import { nameOf, namespaceOf } from '../../ownership.ts';

/**
 * Whether a part of a service is still to be named after an environment that the cache has not heard of: the event of an app may come
 * before that of its namespace, and the name is kept for ever.
 */
export async function awaitsEnvironment({ client, caches }: ReconcilerContext, app: App): Promise<boolean> {
  const namespace = namespaceOf(app);
  const unnamed = (app.spec.bindings ?? []).some(
    ({ service, database }) => database === undefined && !caches.secrets.get(appChildNames.binding(nameOf(app), service), namespace),
  );
  if (!unnamed || caches.environments.get(namespace)) return false;
  return (await client.find(namespaces, namespace))?.metadata?.labels?.[labels.environment] !== undefined;
}
