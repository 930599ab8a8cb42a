import { labels, type KubeObject } from '@skipper/api';
import { keyOf, source, startController, type ReconcilerContext } from '../controller.ts';
import { nameOf, namespaceOf } from '../ownership.ts';
import type { Reach } from './bindings/access.ts';
import { bindingsOfApp, bindingsToService, serviceOf } from './bindings/keys.ts';
import { Outcomes } from './bindings/outcomes.ts';
import { reconcileBinding } from './bindings/reconcile.ts';
import { bindingOf } from './bindings/secret.ts';
import { reconcileApp } from './reconcile.ts';

export interface AppControllerOptions {
  reach: Reach;
  /** How often the account of a binding that is ready is logged in with, in ms. Default a minute. */
  verifyBindingsEveryMs?: number;
  /** How long an engine may take for a login and for making or removing an account, in ms. */
  loginTimeoutMs?: number;
  accountTimeoutMs?: number;
}

/** Apps worked on at once. */
const concurrency = 4;
/** Bindings worked on at once: more, for an engine that does not answer holds each up until its time is over. */
const bindingsAtOnce = 16;

/** Reconciles each app and each binding that changed, or something that was made for it, until closed. */
export function startAppController(
  context: ReconcilerContext,
  { reach, verifyBindingsEveryMs = 60_000, loginTimeoutMs = 10_000, accountTimeoutMs = 60_000 }: AppControllerOptions,
): { close(): Promise<void> } {
  const { caches } = context;
  const stop = new AbortController();
  const outcomes = new Outcomes((key) => {
    const [namespace, app] = key.split('/');
    workloads.add(keyOf(namespace, app));
  });
  const owner = ({ metadata }: KubeObject): string[] => {
    const app = metadata?.labels?.[labels.app];
    return app ? [keyOf(metadata?.namespace, app)] : [];
  };
  const inNamespace = (namespace: string) => caches.apps.list(namespace);
  const toServiceOf = (object: KubeObject) => {
    const service = serviceOf(object);
    return service ? bindingsToService(namespaceOf(object), service, caches) : [];
  };
  const workloads = startController({
    what: 'app',
    context,
    concurrency,
    sources: [
      source(caches.apps, (app) => [keyOf(namespaceOf(app), nameOf(app))]),
      source(caches.deployments, owner),
      source(caches.services, owner),
      source(caches.ingresses, owner),
      source(caches.pods, owner),
      source(caches.secrets, owner),
    ],
    reconcile: (namespace = '', name = '') => reconcileApp({ ...context, outcomes }, namespace, name),
  });
  const bindings = startController({
    what: 'binding',
    context,
    concurrency: bindingsAtOnce,
    sources: [
      source(caches.apps, (app) => bindingsOfApp(app, caches.secrets)),
      source(caches.statefulServices, (service) => bindingsToService(namespaceOf(service), nameOf(service), caches)),
      source(caches.pods, toServiceOf),
      source(caches.claims, toServiceOf),
      // The others as well: what one app gives up another may wait for.
      source(caches.secrets, (secret) => [...toServiceOf(secret), ...itself(secret)]),
      source(caches.environments, (namespace) => inNamespace(nameOf(namespace)).flatMap((app) => [...bindingsOfApp(app, caches.secrets)])),
    ],
    reconcile: (namespace = '', app = '', service = '') =>
      reconcileBinding(
        { ...context, outcomes, reach, verifyEveryMs: verifyBindingsEveryMs, loginTimeoutMs, accountTimeoutMs, stopping: stop.signal },
        namespace,
        app,
        service,
      ),
  });
  return {
    async close() {
      stop.abort(new Error('the operator stops'));
      await Promise.all([workloads.close(), bindings.close()]);
    },
  };
}

function itself(object: KubeObject): string[] {
  const binding = bindingOf(object);
  return binding ? [keyOf(namespaceOf(object), binding.app, binding.service)] : [];
}
