import { labels, type KubeObject } from '@skipper/api';
import { keyOf, source, startController, type ReconcilerContext } from '../controller.ts';
import { reconcileStatefulService } from './reconcile.ts';

/** Services worked on at once: what waits for a slow API call holds up nobody else. */
const concurrency = 4;

/** Reconciles each service that changed, or something that was made for it, until closed. */
export function startStatefulServiceController(context: ReconcilerContext): { close(): Promise<void> } {
  const { caches } = context;
  const owner = ({ metadata }: KubeObject): string[] => {
    const service = metadata?.labels?.[labels.service];
    return service ? [keyOf(metadata?.namespace, service)] : [];
  };
  return startController({
    what: 'service',
    context,
    concurrency,
    sources: [
      source(caches.statefulServices, ({ metadata }) => [keyOf(metadata?.namespace, metadata?.name)]),
      source(caches.images, () => caches.statefulServices.list().map(({ metadata }) => keyOf(metadata?.namespace, metadata?.name))),
      source(caches.statefulSets, owner),
      source(caches.services, owner),
      source(caches.networkPolicies, owner),
      source(caches.claims, owner),
      source(caches.secrets, owner),
      source(caches.pods, owner),
    ],
    reconcile: (namespace = '', name = '') => reconcileStatefulService(context, namespace, name),
  });
}
