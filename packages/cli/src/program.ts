import { Command } from 'commander';
import type { DemoOptions } from './commands/demo.ts';
import { defineApp } from './program/app.ts';
import { defineCluster } from './program/cluster.ts';
import { defineManifests } from './program/manifests.ts';
import { examples, output } from './program/options.ts';
import { defineService, defineTunnel } from './program/service.ts';

const nouns = {
  service: { description: 'manage databases, caches, queues and stores', define: defineService },
  app: { description: 'run your own programs and bind them to services', define: defineApp },
  cluster: { description: 'choose the cluster that commands talk to', define: defineCluster },
};

/**
 * kip's commands. What a command does is loaded when it runs.
 * @param argv a noun that it does not name is not filled: that would cost each start.
 */
export function buildProgram(argv: readonly string[]): Command {
  const program = new Command('kip');
  program
    .description('Stateful services for small teams, on any Kubernetes and on any laptop.')
    .option('--context <name>', 'context of the kubeconfig to use')
    .option('--kubeconfig <file>', 'kubeconfig to use')
    .option('-v, --verbose', 'say more when something fails')
    // Anywhere else --version is that of a service.
    .version('0.1.0', argv[0] === '--version' ? '-V, --version' : '-V', 'print the version, as "kip --version" does')
    // Commander's own takes one word; the nouns keep it.
    .helpCommand('help [command]', 'show help for a command')
    .helpCommand(false)
    .showSuggestionAfterError()
    .exitOverride();
  examples(
    program,
    'kip demo',
    'kip service add postgres --name mydb',
    'kip app deploy api --command "node server.js" --port 3000    # on the embedded cluster, a process of this machine',
    'kip app deploy api --image ghcr.io/shop/api:1.4 --port 8080  # on a real one',
    'kip service bind mydb api',
  );
  defineMachine(program);
  for (const [name, { description, define }] of Object.entries(nouns)) {
    const noun = program.command(name).description(description);
    // Without subcommands help would show none, and say so.
    if (argv.includes(name)) define(noun);
    else noun.usage('[options] [command]');
  }
  defineTunnel(program);
  defineManifests(program);
  defineRest(program);
  return program;
}

function defineMachine(program: Command): void {
  examples(program.command('up').description('start the embedded cluster in the background'), 'kip up').action(async () =>
    (await import('./commands/up.ts')).up(),
  );
  program
    .command('down')
    .description('stop the embedded cluster; everything is kept')
    .action(async () => (await import('./commands/down.ts')).down());
  program
    .command('status')
    .description('show the cluster and what runs on it')
    .addOption(output())
    .action(async (_options, command: Command) => (await import('./commands/status.ts')).status(command.optsWithGlobals()));
  examples(program.command('demo').description('start everything and store a row in a database of your own'), 'kip demo').action(
    async (_options, command: Command) => (await import('./commands/demo.ts')).demo(command.optsWithGlobals<DemoOptions>()),
  );
}

function defineRest(program: Command): void {
  program
    .command('operator')
    .description('look after the services and apps of a cluster until stopped')
    .action(async (_options, command: Command) => (await import('./commands/operator.ts')).operator(command.optsWithGlobals()));
  examples(
    program.command('completion <shell>').description('print completion for bash, zsh or fish'),
    'source <(kip completion bash)',
    'kip completion fish > ~/.config/fish/completions/kip.fish',
  ).action(async (shell: string) => (await import('./commands/completion.ts')).completion(shell));
  program
    .command('version')
    .description('print the version')
    .action(() => void process.stdout.write('0.1.0\n'));
  program
    .command('help [command...]')
    .description('show help for a command')
    .action((words: string[]) => help(program, words));
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (_words, _options, command: Command) => (await import('./commands/completion.ts')).complete(program, command.args));
  program.command('run-cluster', { hidden: true }).action(async () => (await import('./commands/run-cluster.ts')).runCluster());
}

function help(program: Command, words: readonly string[]): void {
  let command = program;
  for (const word of words) {
    const found = command.commands.find((other) => other.name() === word || other.aliases().includes(word));
    if (!found) return command.error(`error: unknown command '${word}'`);
    command = found;
  }
  command.help();
}
