import { appDatabaseName, KipError, requireAppName, type App, type AppBinding, type Scope, type StatefulService } from '@skipper/api';
import { engineOf } from '@skipper/engines';
import type { KubeClient } from '@skipper/kube';
import { changeApp, requireApp } from '../../apps.ts';
import { bindingVariableNames, bindingVariables, masked } from '../../binding-variables.ts';
import { requireNoCollision } from '../../collisions.ts';
import type { OutputOptions, ScopeOptions, WaitOptions } from '../../options.ts';
import { note, print, printData, table } from '../../output.ts';
import { inScope, requireService, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';
import { isAppReady, waitForApp } from '../../wait.ts';

export interface BindOptions extends ScopeOptions, OutputOptions, WaitOptions {
  prefix?: string;
  database?: string;
  vhost?: string;
}

/** `kip service bind` */
export async function bindService(serviceName: string, appName: string, options: BindOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  const wish = bindingOf(serviceName, options);
  requireAppName(appName);
  await withCluster(options, async ({ client }) => {
    const service = await requireService(client, serviceName, scope);
    requireBindable(service, appName, wish, options, scope);
    await requireNoCollision(client, await requireApp(client, appName, scope), service, wish, scope);
    const { app: after, changed } = await changeApp(client, appName, scope, ({ spec }) => {
      const before = spec.bindings?.find((binding) => binding.service === serviceName);
      const merged = { ...before, ...wish };
      if (before && JSON.stringify(before) === JSON.stringify(merged)) return undefined;
      const others = spec.bindings?.filter((binding) => binding !== before) ?? [];
      return { ...spec, bindings: [...others, merged] };
    });
    const what = `App "${appName}" is bound to "${serviceName}"`;
    if (!changed) note(`${what} already, with these settings; nothing was changed.`);
    if (!options.wait) {
      const binding = after.spec.bindings!.find((one) => one.service === serviceName)!;
      const data = { app: appName, service: serviceName, variables: bindingVariableNames(service, binding) };
      if (!(await printData(options, data)) && changed)
        note(`${what}; it restarts when its account has been made. "${inScope(`kip app info ${appName}`, scope)}" shows how it goes.`);
      return;
    }
    const app = (await waitForApp(client, appName, scope, options.timeout, (now) => isBound(now, serviceName)))!;
    await show(client, app, serviceName, options);
    if (changed) note(`${what} and runs with these variables.`);
    note(`  Next: read them in the app; "${inScope(`kip app env ${appName} --reveal`, scope)}" shows their values.`);
  });
}

function bindingOf(service: string, { prefix, database, vhost }: BindOptions): AppBinding {
  if (prefix !== undefined && !/^[A-Z]([A-Z0-9_]{0,62}[A-Z0-9])?$/.test(prefix))
    throw new KipError('usage', `--prefix "${prefix}" is not possible.`, {
      hint: 'Use capitals, digits and "_"; start with a capital and end with no "_": for example REPORTS, which gives REPORTS_HOST.',
    });
  if (database !== undefined && vhost !== undefined)
    throw new KipError('usage', '--database and --vhost are two words for one thing.', { hint: 'Give one of them.' });
  const part = database ?? vhost;
  return { service, ...(prefix === undefined ? {} : { prefix }), ...(part === undefined ? {} : { database: part }) };
}

/** @throws KipError `usage` when the engine could not make what is asked for. */
function requireBindable(service: StatefulService, app: string, { database }: AppBinding, { vhost }: BindOptions, scope: Scope): void {
  const { accounts, title } = engineOf(service.spec.type);
  const names = bindingVariableNames(service, { prefix: 'X' });
  if (vhost !== undefined && !names.includes('X_VHOST'))
    throw new KipError('usage', `${title} has no virtual hosts.`, { hint: 'Use --database.' });
  const part = database ?? accounts.defaultDatabase(appDatabaseName(app, scope.environment));
  const refused = accounts.refusesDatabase(part);
  if (refused) throw new KipError('usage', refused, database === undefined ? { hint: 'Give another name with --database.' } : {});
}

function isBound(app: App | undefined, service: string): boolean {
  return isAppReady(app) && app?.status?.bindings?.find((binding) => binding.service === service)?.ready === true;
}

async function show(client: KubeClient, app: App, service: string, options: OutputOptions): Promise<void> {
  const names = Object.keys(await bindingVariables(client, app, service));
  if (await printData(options, { app: app.metadata!.name, service, variables: names })) return;
  print(table(names.map((name) => [name, masked])));
}
