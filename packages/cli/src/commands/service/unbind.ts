import { KipError, requireServiceName } from '@skipper/api';
import { changeApp } from '../../apps.ts';
import type { ScopeOptions, WaitOptions } from '../../options.ts';
import { note } from '../../output.ts';
import { scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';
import { isAppReady, waitForApp } from '../../wait.ts';

export type UnbindOptions = ScopeOptions & WaitOptions;

/** `kip service unbind`. The service itself may be gone. */
export async function unbindService(service: string, app: string, options: UnbindOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  requireServiceName(service);
  await withCluster(options, async ({ client }) => {
    const { app: before } = await changeApp(client, app, scope, ({ spec: { bindings = [], ...rest } }) => {
      if (!bindings.some((binding) => binding.service === service)) {
        const others = bindings.map((binding) => `"${binding.service}"`);
        throw new KipError('not-found', `App "${app}" is not bound to "${service}".`, {
          hint: others.length > 0 ? `It is bound to ${others.join(', ')}.` : 'It is bound to no service.',
        });
      }
      const left = bindings.filter((binding) => binding.service !== service);
      return left.length > 0 ? { ...rest, bindings: left } : rest;
    });
    if (!options.wait) return note(`App "${app}" is being restarted without "${service}".`);
    const isUnbound = (now: typeof before | undefined): boolean =>
      isAppReady(now) && !now?.status?.bindings?.some((binding) => binding.service === service);
    await waitForApp(client, app, scope, options.timeout, isUnbound);
    note(`App "${app}" is no longer bound to "${service}" and runs without its variables.`);
    note(`  What it stored in "${service}" is still there; binding it again gives it back.`);
  });
}
