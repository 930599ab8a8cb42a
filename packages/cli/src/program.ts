import { Command, InvalidArgumentError, Option } from 'commander';
import type { DemoOptions } from './commands/demo.ts';

/** Options that every command has. */
export interface GlobalOptions {
  context?: string;
  kubeconfig?: string;
  verbose?: boolean;
}

/** Where a service is. */
export interface ScopeOptions extends GlobalOptions {
  project?: string;
  environment?: string;
}

export interface OutputOptions {
  output: 'text' | 'json' | 'yaml';
}

const output = (): Option => new Option('-o, --output <format>', 'output format').choices(['text', 'json', 'yaml']).default('text');

function seconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (!match) throw new InvalidArgumentError('Write for example 90s, 5m or 1h.');
  return Number(match[1]) * { ms: 0.001, s: 1, m: 60, h: 3600 }[(match[2] ?? 's') as 's'];
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('Write a port from 0 to 65535.');
  return port;
}

const scoped = (command: Command): Command =>
  command
    .option('--project <name>', 'project name (default: "default")')
    .option('--environment <name>', 'target environment, for example test, acc or prod');
const examples = (command: Command, ...lines: string[]): Command =>
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);

/** kip's commands. What a command does is loaded when it runs. */
export function buildProgram(): Command {
  const program = new Command('kip');
  program
    .description('Stateful services for small teams, on any Kubernetes and on any laptop.')
    .option('--context <name>', 'context of the kubeconfig to use')
    .option('--kubeconfig <file>', 'kubeconfig to use')
    .option('-v, --verbose', 'say more when something fails')
    .version('0.1.0', '-V', 'print the version')
    .helpCommand('help [command]', 'show help for a command')
    .showSuggestionAfterError()
    .exitOverride();
  examples(program, 'kip demo', 'kip service add postgres --name mydb', 'kip tunnel mydb', 'kip service list');

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

  const cluster = program.command('cluster').description('choose the cluster that commands talk to');
  cluster
    .command('list')
    .description('list the clusters that can be used')
    .addOption(output())
    .action(async (_options, command: Command) => (await import('./commands/cluster/list.ts')).listClusters(command.optsWithGlobals()));
  examples(
    cluster
      .command('use [name]')
      .description('use this context from now on; "embedded" is the cluster of kip up')
      .option('--unset', 'let KUBECONFIG or the embedded cluster decide again'),
    'kip cluster use my-context',
    'kip cluster use embedded',
  ).action(async (name: string | undefined, _options, command: Command) =>
    (await import('./commands/cluster/use.ts')).useCluster(name, command.optsWithGlobals()),
  );

  const service = program.command('service').description('manage databases, caches, queues and stores');
  examples(
    scoped(
      service
        .command('add <type>')
        .description('add a service: postgres, mysql, mongodb, redis, rabbitmq, opensearch or minio')
        .option('--name <name>', 'service name (required)'),
    )
      .option('--storage <size>', 'storage size (default: 5Gi; 1Gi for redis and rabbitmq, 10Gi for minio)')
      .option('--version <version>', 'version of the engine')
      .option('--cpu <amount>', 'CPU to request and to limit to, for example 500m')
      .option('--memory <amount>', 'memory to request and to limit to, for example 512Mi')
      .option('--storage-class <name>', 'storage class of the volume')
      .option('--no-wait', 'do not wait until it is ready')
      .addOption(new Option('--timeout <time>', 'how long to wait').argParser(seconds).default(300, '5m'))
      .addOption(output()),
    'kip service add postgres --name mydb',
    'kip service add postgres --name db --project shop --environment test --storage 1Gi',
  ).action(async (type: string, _options, command: Command) =>
    (await import('./commands/service/add.ts')).addService(type, command.optsWithGlobals()),
  );
  scoped(service.command('list').alias('ls').description('list services'))
    .option('-A, --all', 'of every project and environment')
    .addOption(output())
    .action(async (_options, command: Command) => (await import('./commands/service/list.ts')).listServices(command.optsWithGlobals()));
  examples(
    scoped(service.command('info <name>').description('show connection details')).addOption(output()),
    'kip service info mydb',
    'kip service info mydb -o json',
  ).action(async (name: string, _options, command: Command) =>
    (await import('./commands/service/info.ts')).showService(name, command.optsWithGlobals()),
  );
  examples(
    scoped(
      service
        .command('restart <name>')
        .description('restart a service; its clients lose their connections')
        .option('--force', 'yes, restart it'),
    )
      .option('--no-wait', 'do not wait until it is ready again')
      .addOption(new Option('--timeout <time>', 'how long to wait').argParser(seconds).default(300, '5m')),
    'kip service restart mydb --force',
  ).action(async (name: string, _options, command: Command) =>
    (await import('./commands/service/restart.ts')).restartService(name, command.optsWithGlobals()),
  );
  examples(
    scoped(
      service
        .command('delete <name>')
        .description('delete a service and permanently destroy its data')
        .option('--delete-data', 'yes, destroy the volume and all data'),
    )
      .option('--no-wait', 'do not wait until it is gone')
      .addOption(new Option('--timeout <time>', 'how long to wait').argParser(seconds).default(300, '5m')),
    'kip service delete mydb --delete-data',
  ).action(async (name: string, _options, command: Command) =>
    (await import('./commands/service/delete.ts')).deleteService(name, command.optsWithGlobals()),
  );

  examples(
    scoped(program.command('tunnel <name>').description('bring a service to a port on this machine')).addOption(
      new Option('--local-port <port>', "port on this machine; 0 picks a free one (default: the service's own)").argParser(portNumber),
    ),
    'kip tunnel mydb',
    'kip tunnel mydb --local-port 15432',
  ).action(async (name: string, _options, command: Command) =>
    (await import('./commands/tunnel.ts')).tunnel(name, command.optsWithGlobals()),
  );
  program
    .command('operator')
    .description('look after the services of a cluster until stopped')
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
    .command('complete', { hidden: true })
    .argument('[words...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (_words, _options, command: Command) => (await import('./commands/completion.ts')).complete(program, command.args));
  program.command('run-cluster', { hidden: true }).action(async () => (await import('./commands/run-cluster.ts')).runCluster());
  program
    .command('run-object-store', { hidden: true })
    .action(async () => (await import('./commands/run-object-store.ts')).runObjectStore());
  return program;
}
