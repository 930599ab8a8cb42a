import { apps, KipError, serviceTypes, statefulServices } from '@skipper/api';
import type { Command, Option } from 'commander';
import type { ScopeOptions } from '../options.ts';
import { print } from '../output.ts';
import { scopeOfOptions } from '../services.ts';
import { withCluster } from '../target-cluster.ts';
import { clustersOf } from './cluster/list.ts';

// Where kip knows nothing to offer the shells offer files.
const scripts: Record<string, string> = {
  bash: `_kip() {
  local IFS=$'\\n'
  COMPREPLY=($(kip complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _kip kip`,
  zsh: `#compdef kip
_kip() {
  local -a found
  found=(\${(f)"$(kip complete -- "\${words[@]:1:$((CURRENT - 1))}" 2>/dev/null)"})
  found=(\${\${found//:/\\\\:}/$'\\t'/:})
  if (( $#found )); then _describe kip found; else _files; fi
}
compdef _kip kip`,
  fish: `function __kip_complete
  set -l found (kip complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)
  if set -q found[1]
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c kip -f -a '(__kip_complete)'`,
};

/** `kip completion` */
export function completion(shell: string): void {
  const script = scripts[shell];
  if (!script)
    throw new KipError('usage', `There is no completion for "${shell}".`, { hint: `Choose one of: ${Object.keys(scripts).join(', ')}.` });
  print(script);
}

/** What may stand where the last of `given` does: one a line, with a description after a tab. */
export async function complete(program: Command, given: readonly string[]): Promise<void> {
  const line = readLine(program, given);
  const typed = given.at(-1) === '=' ? '' : (given.at(-1) ?? '');
  for (const [word, description] of await candidatesOf(line, typed)) if (word.startsWith(typed)) print(`${word}\t${description}`);
}

type Candidates = (readonly [word: string, description: string])[];

/** What stands before the word that is being typed. */
interface Line {
  command: Command;
  /** Arguments of the command. */
  count: number;
  /** Of options, by their long names. */
  values: Partial<Record<string, string>>;
  /** The option whose value is being typed. */
  open?: Option | undefined;
}

function readLine(program: Command, words: readonly string[]): Line {
  const line: Line = { command: program, count: 0, values: {} };
  for (const [index, word] of words.slice(0, -1).entries()) {
    // Bash makes three words of --project=shop, and of the A=1 in --env A=1.
    if (word === '=' || (words[index - 1] === '=' && !line.open)) continue;
    if (line.open) {
      line.values[line.open.long!] = word;
      line.open = undefined;
    } else if (word.startsWith('-')) {
      const [flag = '', value] = word.split('=', 2);
      const option = optionOf(line.command, flag);
      if (value !== undefined) line.values[flag] = value;
      else if (option?.required) line.open = option;
    } else {
      const sub = line.command.commands.find((other) => other.name() === word || other.aliases().includes(word));
      if (!sub) line.count += 1;
      line.command = sub ?? defaultOf(line.command) ?? line.command;
    }
  }
  return line;
}

async function candidatesOf(line: Line, typed: string): Promise<Candidates> {
  if (line.open) return valuesOf(line.open);
  if (!typed.startsWith('-')) return [...subcommandsOf(line.command), ...(await argumentsOf(line))];
  const [flag = '', value] = typed.split('=', 2);
  if (value === undefined) return optionsOf(line.command).map(({ long, description }) => [long ?? '', description] as const);
  return valuesOf(optionOf(line.command, flag)).map(([choice, description]) => [`${flag}=${choice}`, description] as const);
}

/** What a command does without any of its subcommands; Commander keeps the name to itself. */
function defaultOf(command: Command): Command | undefined {
  const { _defaultCommandName: name } = command as unknown as { _defaultCommandName?: string };
  return command.commands.find((other) => other.name() === name);
}

function optionsOf(command: Command): Option[] {
  const options = [...command.options, ...(defaultOf(command)?.options ?? [])];
  for (let above = command.parent; above; above = above.parent) options.push(...above.options);
  return options;
}

const optionOf = (command: Command, flag: string): Option | undefined =>
  optionsOf(command).find(({ long, short }) => long === flag || short === flag);

const valuesOf = (option: Option | undefined): Candidates =>
  (option?.argChoices ?? []).map((choice) => [choice, option!.description] as const);

const subcommandsOf = (command: Command): Candidates =>
  command.commands
    .filter((other) => !['complete', 'run-cluster'].includes(other.name()))
    .map((other) => [other.name(), other.description()] as const);

/** Which names a command's arguments are, by its path. */
const namesFor: Record<string, ('service' | 'app')[]> = {
  'service bind': ['service', 'app'],
  'service unbind': ['service', 'app'],
  ...Object.fromEntries(['info', 'logs', 'connect', 'restart', 'delete'].map((verb) => [`service ${verb}`, ['service']])),
  ...Object.fromEntries(['deploy', 'info', 'logs', 'scale', 'restart', 'delete', 'env'].map((verb) => [`app ${verb}`, ['app']])),
  ...Object.fromEntries(['list', 'set', 'unset'].map((verb) => [`env ${verb}`, ['app']])),
  'kip tunnel': ['service'],
};

async function argumentsOf({ command, count, values }: Line): Promise<Candidates> {
  const path = `${command.parent?.name()} ${command.name()}`;
  const options = {
    context: values['--context'],
    kubeconfig: values['--kubeconfig'],
    project: values['--project'],
    environment: values['--environment'],
  } as ScopeOptions;
  try {
    if (count === 0 && path === 'service add') return serviceTypes.map((type) => [type, 'type of service'] as const);
    if (count === 0 && path === 'kip completion') return Object.keys(scripts).map((shell) => [shell, 'shell'] as const);
    if (count === 0 && path === 'cluster use') return (await clustersOf(options)).map(({ name, server }) => [name, server] as const);
    const kind = namesFor[path]?.[count];
    return kind ? await namesOf(kind, options) : [];
  } catch {
    // Nothing can be said in the middle of a line that is being typed.
    return [];
  }
}

async function namesOf(kind: 'service' | 'app', options: ScopeOptions): Promise<Candidates> {
  const where = { namespace: scopeOfOptions(options).namespace, signal: AbortSignal.timeout(2_000) };
  return withCluster(options, async ({ client }) => {
    if (kind === 'app')
      return (await client.list(apps, where)).items.map(({ metadata, spec }) => [metadata!.name!, spec.image ?? 'app'] as const);
    return (await client.list(statefulServices, where)).items.map(({ metadata, spec }) => [metadata!.name!, spec.type] as const);
  });
}
