import { apps, KipError, requireAppName, serviceHost, type App, type AppSpec, type Scope } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import { fieldManager } from './field-manager.ts';
import { describeScope, inScope } from './services.ts';
import { stateOf } from './reporting.ts';

/** @throws KipError `not-found` that says where was looked and how to make one. */
export async function requireApp(client: KubeClient, name: string, scope: Scope): Promise<App> {
  requireAppName(name);
  const app = await client.find(apps, name, { namespace: scope.namespace });
  if (app) return app;
  const elsewhere = (await client.list(apps, {}).catch(() => ({ items: [] as App[] }))).items.filter(
    ({ metadata }) => metadata?.name === name,
  );
  throw new KipError('not-found', `There is no app "${name}" in ${describeScope(scope)}.`, {
    hint:
      elsewhere.length > 0
        ? `There is one in ${elsewhere.map(({ metadata }) => metadata!.namespace).join(', ')}; name it with --project and --environment.`
        : `Make it with "${inScope(`kip app deploy ${name}`, scope)}"; "kip app list --all" shows every app.`,
  });
}

const tries = 5;

/**
 * Changes the spec of an app as it is now, again when somebody else was faster.
 * @param change is given the app as it is; `undefined` leaves it alone. May throw.
 * @returns the app after the change, and whether there was one.
 */
export async function changeApp(
  client: KubeClient,
  name: string,
  scope: Scope,
  change: (app: App) => AppSpec | undefined,
): Promise<{ app: App; changed: boolean }> {
  for (let attempt = 1; ; attempt += 1) {
    const app = await requireApp(client, name, scope);
    if (app.metadata?.deletionTimestamp)
      throw new KipError('conflict', `App "${name}" is being deleted.`, { hint: 'Try again when it is gone.' });
    const spec = change(app);
    if (!spec) return { app, changed: false };
    try {
      const after = await client.replace(apps, { ...app, spec }, { fieldManager });
      return { app: after, changed: after.metadata?.generation !== app.metadata?.generation };
    } catch (error) {
      if (attempt === tries || !hasReason(error, 'Conflict')) throw error;
    }
  }
}

export interface AppSummary {
  name: string;
  project: string;
  environment: string | undefined;
  namespace: string;
  image: string | undefined;
  command: string[] | undefined;
  status: string;
  /** Ready pods by wanted ones. */
  ready: string;
  replicas: number;
  /** Where other pods reach it. */
  address: string | undefined;
  url: string | undefined;
  services: string[];
  message: string | undefined;
}

/** One app as lists show it. */
export function appSummaryOf(app: App, scope?: { project: string; environment: string | undefined }): AppSummary {
  const { name = '', namespace = '' } = app.metadata ?? {};
  const { image, command, port, replicas = 1, bindings = [] } = app.spec;
  const { word, message } = stateOf(app);
  return {
    name,
    namespace,
    project: scope?.project ?? namespace,
    environment: scope?.environment,
    image,
    command,
    status: word === 'running' && replicas === 0 ? 'stopped' : word,
    ready: `${app.status?.readyReplicas ?? 0}/${replicas}`,
    replicas,
    address: port === undefined ? undefined : `${serviceHost(name, namespace)}:${port}`,
    url: app.status?.url,
    services: bindings.map(({ service }) => service),
    message,
  };
}

/** What an app runs, in a word. */
export const whatRuns = ({ image, command }: Pick<AppSummary, 'image' | 'command'>): string => image ?? command?.join(' ') ?? '-';

/** Names of the apps that are bound to a service. */
export async function appsBoundTo(client: KubeClient, service: string, namespace: string): Promise<string[]> {
  const { items } = await client.list(apps, { namespace }).catch((error: unknown) => {
    if (hasReason(error, 'NotFound')) return { items: [] as App[] };
    throw error;
  });
  return items
    .filter(({ spec }) => spec.bindings?.some((binding) => binding.service === service))
    .map(({ metadata }) => metadata!.name!)
    .sort();
}
