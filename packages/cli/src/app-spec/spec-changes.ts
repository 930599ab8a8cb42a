import { KipError, requirePositiveQuantity, requireServiceName, type AppSpec } from '@skipper/api';
import type { EnvVar } from 'kubernetes-types/core/v1.d.ts';
import { commandWords } from './command-words.ts';
import { withVariables } from './variables.ts';

/** What the flags of `kip app deploy` name. */
export interface SpecFlags {
  image?: string;
  command?: string;
  port?: number;
  replicas?: number;
  host?: string;
  cpu?: string;
  memory?: string;
  /** Names of services. */
  bind?: string[];
}

const hostName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/**
 * `spec` with what was named, everything else as it is.
 * @param words the command as words of the command line, which `--command` excludes.
 * @throws KipError `usage`
 */
export function changedSpec(spec: AppSpec, flags: SpecFlags, words: readonly string[], variables: readonly EnvVar[]): AppSpec {
  requireValidFlags(flags);
  if (flags.command !== undefined && words.length > 0)
    throw new KipError('usage', 'The command is given twice.', { hint: 'Use either --command or the words after "--".' });
  const command = flags.command === undefined ? [...words] : commandWords(flags.command);
  const amounts = {
    ...(flags.cpu === undefined ? {} : { cpu: flags.cpu }),
    ...(flags.memory === undefined ? {} : { memory: flags.memory }),
  };
  const { bindings = [], resources } = spec;
  const newBindings = [...new Set(flags.bind)].filter((name) => !bindings.some(({ service }) => service === name));
  const { args: _args, ...withoutArgs } = spec;
  return {
    // Arguments that went with another command mean nothing to this one.
    ...(command.length > 0 ? withoutArgs : spec),
    ...(flags.image === undefined ? {} : { image: flags.image }),
    ...(command.length > 0 ? { command } : {}),
    ...(flags.port === undefined ? {} : { port: flags.port }),
    ...(flags.replicas === undefined ? {} : { replicas: flags.replicas }),
    ...(variables.length > 0 ? { env: withVariables(spec.env, variables) } : {}),
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(Object.keys(amounts).length > 0
      ? { resources: { requests: { ...resources?.requests, ...amounts }, limits: { ...resources?.limits, ...amounts } } }
      : {}),
    ...(newBindings.length > 0 ? { bindings: [...bindings, ...newBindings.map((service) => ({ service }))] } : {}),
  };
}

function requireValidFlags(flags: SpecFlags): void {
  if (flags.image !== undefined && !/^[^\s]+$/.test(flags.image))
    throw new KipError('usage', `--image "${flags.image}" is not an image.`, { hint: 'Write for example ghcr.io/shop/api:1.4.' });
  if (flags.host !== undefined && !hostName.test(flags.host))
    throw new KipError('usage', `--host "${flags.host}" is not a host name.`, {
      hint: 'Write for example api.example.com, without http://.',
    });
  for (const [flag, value, example] of [
    ['--cpu', flags.cpu, '500m'],
    ['--memory', flags.memory, '512Mi'],
  ] as const)
    if (value !== undefined) requirePositiveQuantity(flag, value, example);
  for (const name of flags.bind ?? []) requireServiceName(name);
}
