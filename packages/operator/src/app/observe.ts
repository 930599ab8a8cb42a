import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod, Service } from 'kubernetes-types/core/v1.d.ts';
import type { Ingress } from 'kubernetes-types/networking/v1.d.ts';
import { appChildNames, deployments, ingresses, labels, services, type App } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import { look, type Caches } from '../caches.ts';
import { nameOf, namespaceOf } from '../ownership.ts';

/** What stands at the names of an app's children, whoever made it, and its pods. */
export interface Observed {
  deployment: Deployment | undefined;
  service: Service | undefined;
  ingress: Ingress | undefined;
  pods: Pod[];
}

export async function observe(client: KubeClient, caches: Caches, app: App): Promise<Observed> {
  const [name, namespace] = [nameOf(app), namespaceOf(app)];
  // What is not wanted is looked for among our own only: to take it away.
  const [deployment, service, ingress] = await Promise.all([
    look(client, caches.deployments, deployments, appChildNames.deployment(name), namespace),
    app.spec.port === undefined
      ? caches.services.get(appChildNames.service(name), namespace)
      : look(client, caches.services, services, appChildNames.service(name), namespace),
    app.spec.host === undefined
      ? caches.ingresses.get(appChildNames.ingress(name), namespace)
      : look(client, caches.ingresses, ingresses, appChildNames.ingress(name), namespace),
  ]);
  const pods = caches.pods.list(namespace).filter(({ metadata }) => metadata?.labels?.[labels.app] === name);
  return { deployment, service, ingress, pods };
}
