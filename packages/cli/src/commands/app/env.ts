import type { App } from '@skipper/api';
import type { EnvVarSource } from 'kubernetes-types/core/v1.d.ts';
import type { KubeClient } from '@skipper/kube';
import { requireApp } from '../../apps.ts';
import { bindingVariables, masked } from '../../binding-variables.ts';
import type { OutputOptions, ScopeOptions } from '../../options.ts';
import { note, print, printData, table } from '../../output.ts';
import { inScope, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';

export interface EnvironmentOptions extends ScopeOptions, OutputOptions {
  reveal?: boolean;
}

/** `kip app env` */
export async function showEnvironment(name: string, options: EnvironmentOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const app = await requireApp(client, name, scope);
    const variables = await variablesOf(client, app);
    const shown = variables.map((variable) => ({ ...variable, value: options.reveal ? variable.value : masked }));
    if (await printData(options, shown)) return;
    if (shown.length === 0)
      return note(`App "${name}" has no variables. Set one with "${inScope(`kip app env set ${name} KEY=VALUE`, scope)}".`);
    print(table([['NAME', 'VALUE', 'FROM'], ...shown.map(({ name: key, value, from }) => [key, value, from])]));
    if (!options.reveal) note('  --reveal shows the values.');
  });
}

interface Variable {
  name: string;
  value: string;
  /** `app`, or the service that it is bound to. */
  from: string;
}

async function variablesOf(client: KubeClient, app: App): Promise<Variable[]> {
  const own = (app.spec.env ?? []).map(({ name, value = '', valueFrom }) =>
    valueFrom ? { name, value: '-', from: sourceOf(valueFrom) } : { name, value: value.replaceAll('$$', () => '$'), from: 'app' },
  );
  const bound = await Promise.all(
    (app.spec.bindings ?? []).map(async ({ service }) =>
      Object.entries(await bindingVariables(client, app, service)).map(([name, value]) => ({ name, value, from: `service ${service}` })),
    ),
  );
  return [...own, ...bound.flat()];
}

function sourceOf({ secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef }: EnvVarSource): string {
  if (secretKeyRef) return `Secret ${secretKeyRef.name}, key ${secretKeyRef.key}`;
  if (configMapKeyRef) return `ConfigMap ${configMapKeyRef.name}, key ${configMapKeyRef.key}`;
  return `pod's ${fieldRef?.fieldPath ?? resourceFieldRef?.resource ?? 'field'}`;
}
