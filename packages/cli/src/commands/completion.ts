import { KipError, serviceTypes, statefulServices } from '@skipper/api';
import type { Command } from 'commander';
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

async function argumentsOf(command: Command, words: readonly string[]): Promise<(readonly [string, string])[]> {
  if (command.name() === 'add') return serviceTypes.map((type) => [type, 'type of service'] as const);
  if (command.name() === 'completion') return Object.keys(scripts).map((shell) => [shell, 'shell'] as const);
  if (!['info', 'restart', 'delete', 'tunnel'].includes(command.name())) return [];
  const valueOf = (flag: string): string | undefined => (words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined);
  const { client } = await targetCluster({});
  try {
    const { namespace } = scopeOfOptions({ project: valueOf('--project'), environment: valueOf('--environment') } as never);
    const { items } = await client.list(statefulServices, { namespace, signal: AbortSignal.timeout(2_000) });
    return items.map(({ metadata, spec }) => [metadata!.name!, spec.type] as const);
  } finally {
    client.close();
  }
}
