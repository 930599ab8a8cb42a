import { labels, type KubeObject } from '@skipper/api';
import { keyOf, source, startController, type ReconcilerContext } from '../controller.ts';
import { reconcileApp } from './reconcile.ts';

/** Apps worked on at once. */
const concurrency = 4;

/** Reconciles each app that changed, or something that was made for it, until closed. */
export function startAppController(context: ReconcilerContext): { close(): Promise<void> } {
  const { caches } = context;
  const owner = ({ metadata }: KubeObject): string[] => {
    const app = metadata?.labels?.[labels.app];
    return app ? [keyOf(metadata?.namespace, app)] : [];
  };
  return startController({
    what: 'app',
    context,
    concurrency,
    sources: [
      source(caches.apps, ({ metadata }) => [keyOf(metadata?.namespace, metadata?.name)]),
      source(caches.deployments, owner),
      source(caches.services, owner),
      source(caches.ingresses, owner),
      source(caches.pods, owner),
    ],
    reconcile: (namespace = '', name = '') => reconcileApp(context, namespace, name),
  });
}
