import { labels, type App, type KubeObject } from '@skipper/api';
import type { Caches } from '../../caches.ts';
import { keyOf } from '../../controller.ts';
import { nameOf, namespaceOf } from '../../ownership.ts';
import { bindingOf } from './secret.ts';

/** Keys of the bindings that an app wants, and of those whose Secrets are left from before. */
export function bindingsOfApp(app: App, secrets: Pick<Caches['secrets'], 'list'>): Set<string> {
  const namespace = namespaceOf(app);
  const wanted = (app.spec.bindings ?? []).map(({ service }) => service);
  const left = secrets.list(namespace).flatMap((secret) => {
    const binding = bindingOf(secret);
    return binding?.app === nameOf(app) ? [binding.service] : [];
  });
  return new Set([...wanted, ...left].map((service) => keyOf(namespace, nameOf(app), service)));
}

/** Keys of all bindings to a service, those included that no app wants any more. */
export function bindingsToService(namespace: string, service: string, caches: Pick<Caches, 'apps' | 'secrets'>): Set<string> {
  const wanting = caches.apps.list(namespace).filter(({ spec }) => spec.bindings?.some((entry) => entry.service === service));
  const left = caches.secrets.list(namespace).flatMap((secret) => {
    const binding = bindingOf(secret);
    return binding?.service === service ? [binding.app] : [];
  });
  return new Set([...wanting.map(nameOf), ...left].map((app) => keyOf(namespace, app, service)));
}

/** The service that an object was made for, itself included. */
export function serviceOf(object: KubeObject): string | undefined {
  return object.metadata?.labels?.[labels.service];
}
