import { KipError } from '@skipper/api';
import { appSummaryOf, changeApp } from '../../apps.ts';
import type { ScopeOptions, WaitOptions } from '../../options.ts';
import { note } from '../../output.ts';
import { inScope, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';
import { isAppReady, waitForApp } from '../../wait.ts';

export interface ScaleOptions extends ScopeOptions, WaitOptions {
  replicas?: number;
}

/** `kip app scale` */
export async function scaleApp(name: string, options: ScaleOptions): Promise<void> {
  const { replicas } = options;
  if (replicas === undefined) throw new KipError('usage', 'To how many?', { hint: inScope(`kip app scale ${name} --replicas 3`, options) });
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    await changeApp(client, name, scope, ({ spec }) => ((spec.replicas ?? 1) === replicas ? undefined : { ...spec, replicas }));
    if (!options.wait) return note(`App "${name}" is being scaled to ${replicas}.`);
    const app = (await waitForApp(client, name, scope, options.timeout, isAppReady))!;
    note(`App "${name}" is scaled: ${appSummaryOf(app).ready} ready.`);
  });
}
