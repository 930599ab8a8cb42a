import { apps, KipError, namespaces, scopeOf, type Scope } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import { fieldManager } from '../field-manager.ts';
import { apply, foretell, type Applied } from '../manifests/apply.ts';
import { checked, refuse } from '../manifests/checks.ts';
import { inApplyOrder, type Managed } from '../manifests/normal-form.ts';
import { readManifests } from '../manifests/read.ts';
import { ensureNamespace, findNamespace } from '../namespace.ts';
import { requireOperator } from '../operator-lease.ts';
import type { OutputOptions, ScopeOptions, WaitOptions } from '../options.ts';
import { note, print, printData, startProgress, table } from '../output.ts';
import { inScope, scopeOfOptions } from '../services.ts';
import { withCluster } from '../target-cluster.ts';
import { isAppReady, isServiceReady, waitForApp, waitForService } from '../wait.ts';

export interface ApplyOptions extends ScopeOptions, OutputOptions, WaitOptions {
  file?: string[];
  dryRun?: boolean;
}

/** `kip apply` */
export async function applyManifests(options: ApplyOptions): Promise<void> {
  if (!options.file) throw new KipError('usage', 'Apply what?', { hint: inScope('kip apply -f shop.yaml', options) });
  const scope = scopeOfOptions(options);
  const objects = inApplyOrder(checked(await readManifests(options.file), scope.namespace));
  await withCluster(options, async ({ client, name: cluster }) => {
    await requireOperator(client, cluster, 'statefulservices.skipper.dev');
    if (objects.some(({ kind }) => kind === apps.kind)) await requireOperator(client, cluster, 'apps.skipper.dev');
    const foretold = await foretellAll(client, objects);
    if (options.dryRun) return show(foretold, options, ' (dry run)');
    for (const namespace of new Set(objects.map(({ metadata }) => metadata!.namespace!))) await makeNamespace(client, namespace, scope);
    const applied: Applied[] = [];
    for (const object of objects) applied.push(await apply(client, object));
    await show(applied, options);
    if (options.wait) await waitForAll(client, applied, scope, options.timeout);
  });
}

/** All of them, before anything is changed. @throws KipError `usage` with every complaint of the server. */
async function foretellAll(client: KubeClient, objects: readonly Managed[]): Promise<Applied[]> {
  const names = [...new Set(objects.map(({ metadata }) => metadata!.namespace!))];
  const exists = new Map(await Promise.all(names.map(async (name) => [name, (await findNamespace(client, name)) !== undefined] as const)));
  const answers = await Promise.all(objects.map((object) => foretell(client, object, exists.get(object.metadata!.namespace!)!)));
  refuse(answers.flatMap((answer) => ('problem' in answer ? [answer.problem] : [])));
  return answers as Applied[];
}

/** The scope's own namespace is marked as its; one that a manifest names itself only has to be there, and may be any project's. */
async function makeNamespace(client: KubeClient, namespace: string, scope: Scope): Promise<void> {
  if (namespace === scope.namespace) return ensureNamespace(client, scope);
  if ((await findNamespace(client, namespace)) !== undefined) return;
  await client.create(namespaces, { metadata: { name: namespace } }, { fieldManager }).catch((error: unknown) => {
    if (!hasReason(error, 'AlreadyExists')) throw error;
  });
}

const labelOf = ({ kind, name }: Applied): string => `${kind === apps.kind ? 'app' : 'service'}/${name}`;

async function show(results: readonly Applied[], options: OutputOptions, remark = ''): Promise<void> {
  if (await printData(options, results)) return;
  print(
    table(
      results.map((result) => [
        labelOf(result),
        `${result.change}${remark}${result.fields.length > 0 ? `: ${result.fields.join(', ')}` : ''}`,
      ]),
    ),
  );
}

/** @throws KipError `timeout` that names what is not ready. */
async function waitForAll(client: KubeClient, applied: readonly Applied[], scope: Scope, timeout: number): Promise<void> {
  const progress = startProgress();
  const part = (result: Applied) => ({
    progress: { update: (text: string) => progress.update(`${labelOf(result)}: ${text}`), done: () => undefined },
  });
  const scopeIn = (namespace: string): Scope => (namespace === scope.namespace ? scope : scopeOf(namespace, undefined));
  const waits = await Promise.allSettled(
    applied.map((result) =>
      result.kind === apps.kind
        ? waitForApp(client, result.name, scopeIn(result.namespace), timeout, isAppReady, part(result))
        : waitForService(client, result.name, scopeIn(result.namespace), timeout, isServiceReady, part(result)),
    ),
  );
  progress.done();
  const failures = waits.flatMap((wait) => (wait.status === 'rejected' ? [wait.reason as KipError] : []));
  if (failures.length > 0)
    throw new KipError('timeout', failures.map(({ message }) => message).join('\n  '), { hint: failures[0]!.hint ?? '' });
  note(`  ${applied.length === 1 ? 'It is' : `All ${applied.length} are`} ready.`);
}
