import { apps, KipError, type App, type AppSpec } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import { appDetails, appText } from '../../app-details.ts';
import { changedSpec, type SpecFlags } from '../../app-spec/spec-changes.ts';
import { readVariableFiles } from '../../app-spec/variable-files.ts';
import { parseVariable } from '../../app-spec/variables.ts';
import { appNameOf, folderOf, manifestOf, requireRunnable } from '../../app-spec/wish.ts';
import { changeApp } from '../../apps.ts';
import { requireNoCollision } from '../../collisions.ts';
import { fieldManager } from '../../field-manager.ts';
import { ensureNamespace } from '../../namespace.ts';
import { requireOperator } from '../../operator-lease.ts';
import type { OutputOptions, ScopeOptions, WaitOptions } from '../../options.ts';
import { note, print, printData } from '../../output.ts';
import { inScope, requireService, scopeOfOptions } from '../../services.ts';
import { runsProcesses, withCluster } from '../../target-cluster.ts';
import { isAppReady, waitForApp } from '../../wait.ts';

export interface DeployOptions extends ScopeOptions, OutputOptions, WaitOptions, SpecFlags {
  env?: string[];
  envFile?: string[];
  /** A manifest. */
  file?: string;
}

/** `kip app deploy` */
export async function deployApp(operands: readonly string[], options: DeployOptions): Promise<void> {
  const { given, words } = split(operands);
  const scope = scopeOfOptions(options);
  const manifest = options.file === undefined ? undefined : await manifestOf(options.file, scope.namespace);
  const name = appNameOf(given, manifest);
  const own = (options.env ?? []).map((text) => parseVariable(text, process.env));
  const variables = [...(await readVariableFiles(options.envFile)), ...own];
  const changed = (spec: AppSpec): AppSpec => changedSpec({ ...spec, ...manifest?.spec }, options, words, variables);
  // What can be wrong is found before a cluster is asked.
  const named = changed({});
  await withCluster(options, async ({ client, name: cluster }) => {
    await requireOperator(client, cluster, 'apps.skipper.dev');
    const processes = await runsProcesses(client);
    const wish = (spec: AppSpec): AppSpec => {
      const wanted = changed(spec);
      return processes ? { ...wanted, ...folderOf(named, process.cwd(), wanted.image) } : wanted;
    };
    const existing = await client.find(apps, name, { namespace: scope.namespace });
    const wanted = { metadata: { ...manifest?.metadata, name, namespace: scope.namespace }, spec: wish(existing?.spec ?? {}) };
    requireRunnable(name, wanted.spec, processes, cluster);
    for (const service of options.bind ?? [])
      await requireNoCollision(client, wanted, await requireService(client, service, scope), { service }, scope);
    await ensureNamespace(client, scope);
    const change = existing ? await changeApp(client, name, scope, ({ spec }) => wish(spec)) : await create(client, wanted);
    const done = !existing ? 'is made' : change.changed ? 'is changed' : 'is as it was';
    if (!options.wait) {
      if (!(await printData(options, { name, namespace: scope.namespace })))
        note(`App "${name}" ${done}; "${inScope(`kip app info ${name}`, scope)}" shows how it goes.`);
      return;
    }
    const app = (await waitForApp(client, name, scope, options.timeout, isAppReady))!;
    if (!(await printData(options, appDetails(app, scope)))) print(appText(app));
    note(`App "${name}" ${done}${app.spec.replicas === 0 ? '.' : ' and runs.'}`);
  });
}

/**
 * Commander tells what stands before "--" from what follows it no more.
 * @throws KipError `usage` for a command without "--": an option of it would be taken for kip's.
 */
function split(operands: readonly string[]): { given: string | undefined; words: readonly string[] } {
  const { argv } = process;
  const behind = argv.includes('--') ? argv.length - argv.indexOf('--') - 1 : 0;
  const words = operands.slice(operands.length - behind);
  const [given, ...stray] = operands.slice(0, operands.length - behind);
  if (stray.length === 0) return { given, words };
  throw new KipError('usage', `What is "${stray.join(' ')}" for?`, {
    hint: `A command follows "--": kip app deploy ${given} -- ${[...stray, ...words].join(' ')}`,
  });
}

async function create(client: KubeClient, app: App): Promise<{ changed: boolean }> {
  await client.create(apps, app, { fieldManager }).catch((error: unknown) => {
    if (!hasReason(error, 'AlreadyExists')) throw error;
    throw new KipError('conflict', `App "${app.metadata?.name}" was made by somebody else at the same time.`, {
      hint: 'Deploy again to change it.',
      cause: error,
    });
  });
  return { changed: true };
}
