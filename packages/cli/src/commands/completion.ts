import { apps, KipError, serviceTypes, statefulServices } from '@skipper/api';
import type { Command } from 'commander';
import type { GlobalOptions, ScopeOptions } from '../options.ts';
import { print } from '../output.ts';
import { targetCluster } from '../target-cluster.ts';
import { scopeOfOptions } from '../services.ts';

const scripts: Record<string, string> = {
  bash: `_kip() {
  local IFS=$'\\n'
  COMPREPLY=($(kip complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1 | grep -F -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _kip kip`,
  zsh: `#compdef kip
_kip() {
  local -a found
  found=("\${(@f)$(kip complete -- "\${words[@]:1:$((CURRENT - 1))}" 2>/dev/null | sed 's/:/\\\\:/g; s/\\t/:/')}")
  _describe kip found
}
compdef _kip kip`,
  fish: `complete -c kip -f -a '(kip complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
};

/** `kip completion` */
export function completion(shell: string): void {
  const script = scripts[shell];
  if (!script)
    throw new KipError('usage', `There is no completion for "${shell}".`, { hint: `Choose one of: ${Object.keys(scripts).join(', ')}.` });
  print(script);
}

/** What may stand where the last of `words` does: one a line, with a description after a tab. */
export async function complete(program: Command, words: readonly string[]): Promise<void> {
  const typed = words.at(-1) ?? '';
  let command = program;
  for (const word of words.slice(0, -1)) {
    const sub = command.commands.find((other) => other.name() === word || other.aliases().includes(word));
    command = sub ?? command;
  }
  const subcommands = command.commands.filter((other) => !['complete', 'run-cluster'].includes(other.name()));
  const options = [...command.options, ...(command === program ? [] : program.options)];
  const candidates = typed.startsWith('-')
    ? options.map(({ long, description }) => [long ?? '', description] as const)
    : subcommands.length > 0
      ? subcommands.map((other) => [other.name(), other.description()] as const)
      : await argumentsOf(command, words);
  for (const [word, description] of candidates) if (word.startsWith(typed)) print(`${word}\t${description}`);
}

/** Which names a command's arguments are, by its path. */
const namesFor: Record<string, ('service' | 'app')[]> = {
  'service bind': ['service', 'app'],
  'service unbind': ['service', 'app'],
  ...Object.fromEntries(['info', 'logs', 'connect', 'restart', 'delete'].map((verb) => [`service ${verb}`, ['service']])),
  ...Object.fromEntries(['deploy', 'info', 'logs', 'scale', 'restart', 'delete'].map((verb) => [`app ${verb}`, ['app']])),
  ...Object.fromEntries(['list', 'set', 'unset'].map((verb) => [`env ${verb}`, ['app']])),
  'kip tunnel': ['service'],
};

async function argumentsOf(command: Command, words: readonly string[]): Promise<(readonly [string, string])[]> {
  const path = `${command.parent?.name()} ${command.name()}`;
  if (path === 'service add') return serviceTypes.map((type) => [type, 'type of service'] as const);
  if (path === 'kip completion') return Object.keys(scripts).map((shell) => [shell, 'shell'] as const);
  const kind = namesFor[path]?.[argumentsBefore(command, words)];
  if (!kind) return [];
  const valueOf = (flag: string): string | undefined => (words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined);
  const { client } = await targetCluster({ context: valueOf('--context'), kubeconfig: valueOf('--kubeconfig') } as GlobalOptions);
  try {
    const { namespace } = scopeOfOptions({ project: valueOf('--project'), environment: valueOf('--environment') } as ScopeOptions);
    const where = { namespace, signal: AbortSignal.timeout(2_000) };
    if (kind === 'app')
      return (await client.list(apps, where)).items.map(({ metadata, spec }) => [metadata!.name!, spec.image ?? 'app'] as const);
    return (await client.list(statefulServices, where)).items.map(({ metadata, spec }) => [metadata!.name!, spec.type] as const);
  } catch {
    // Nothing can be said in the middle of a line that is being typed.
    return [];
  } finally {
    client.close();
  }
}

/** How many arguments, options and their values left out, stand between the command's own name and the word that is being typed. */
function argumentsBefore(command: Command, words: readonly string[]): number {
  const own = words.findIndex((word) => word === command.name() || command.aliases().includes(word));
  const takesValue = (word: string): boolean => {
    for (let from: Command | null = command; from; from = from.parent) {
      const option = from.options.find(({ long, short }) => long === word || short === word);
      if (option) return option.required;
    }
    return false;
  };
  let count = 0;
  for (let index = own + 1; index < words.length - 1; index += 1) {
    if (!words[index]!.startsWith('-')) count += 1;
    else if (takesValue(words[index]!)) index += 1;
  }
  return count;
}
