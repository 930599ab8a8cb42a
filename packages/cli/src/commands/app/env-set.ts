import { KipError, type App, type AppSpec } from '@skipper/api';
import type { EnvVar } from 'kubernetes-types/core/v1.d.ts';
import { parseVariable, requireVariableName, withVariables } from '../../app-spec/variables.ts';
import { readVariableFiles } from '../../app-spec/variable-files.ts';
import { changeApp } from '../../apps.ts';
import type { ScopeOptions, WaitOptions } from '../../options.ts';
import { note } from '../../output.ts';
import { inScope, scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';
import { isAppReady, waitForApp } from '../../wait.ts';

export interface SetEnvironmentOptions extends ScopeOptions, WaitOptions {
  envFile?: string[];
}

/** `kip app env set` */
export async function setEnvironment(name: string, words: readonly string[], options: SetEnvironmentOptions): Promise<void> {
  const variables: EnvVar[] = [...(await readVariableFiles(options.envFile)), ...words.map((word) => parseVariable(word, process.env))];
  if (variables.length === 0)
    throw new KipError('usage', 'Which variables?', { hint: inScope(`kip app env set ${name} KEY=VALUE`, options) });
  await change(name, options, ({ spec }) => ({ ...spec, env: withVariables(spec.env, variables) }));
}

/** `kip app env unset` */
export async function unsetEnvironment(name: string, names: readonly string[], options: SetEnvironmentOptions): Promise<void> {
  names.forEach(requireVariableName);
  await change(name, options, ({ spec }) => {
    const missing = names.filter((wanted) => !spec.env?.some((variable) => variable.name === wanted));
    if (missing.length > 0)
      throw new KipError('not-found', `App "${name}" has no variable ${missing.join(', ')} of its own.`, {
        hint: `"${inScope(`kip app env ${name}`, options)}" shows its variables; those of a service go with "kip service unbind".`,
      });
    const { env, ...rest } = spec;
    const left = env!.filter((variable) => !names.includes(variable.name));
    return left.length > 0 ? { ...rest, env: left } : rest;
  });
}

async function change(name: string, options: SetEnvironmentOptions, edit: (app: App) => AppSpec): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const { changed } = await changeApp(client, name, scope, edit);
    if (!changed) return note(`App "${name}" has these variables already.`);
    if (!options.wait) return note(`App "${name}" is being restarted with its new variables.`);
    await waitForApp(client, name, scope, options.timeout, isAppReady);
    note(`App "${name}" runs with its new variables.`);
  });
}
