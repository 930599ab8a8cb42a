import { Option, type Command } from 'commander';
import { appPort, collected, examples, output, scoped, seconds, waiting, wholeNumber } from './options.ts';

/** `kip app …` */
export function defineApp(app: Command): void {
  examples(
    waiting(
      scoped(app.command('deploy [name] [command...]').description('make an app, or change what is named of one that is there'))
        .option('--image <image>', 'container image')
        .option('--command <words>', 'what runs instead of the image\'s own command; or write it after "--"')
        .addOption(new Option('--port <port>', 'TCP port the app listens on').argParser(appPort))
        .addOption(new Option('--replicas <count>', 'pods (default: 1)').argParser(wholeNumber))
        .addOption(new Option('-e, --env <KEY=VALUE>', 'variable; KEY alone takes its value from here (repeatable)').argParser(collected))
        .addOption(new Option('--env-file <file>', 'file of variables, a KEY=VALUE a line (repeatable)').argParser(collected))
        .option('--host <name>', 'public host name')
        .option('--cpu <amount>', 'CPU to request and to limit to, for example 500m')
        .option('--memory <amount>', 'memory to request and to limit to, for example 512Mi')
        .addOption(new Option('--bind <service>', 'service to bind to (repeatable)').argParser(collected))
        .option('-f, --file <manifest>', 'manifest of the app; the other options change what it says'),
      'it runs',
    ).addOption(output()),
    'kip app deploy api --command "node server.js" --port 3000    # on the embedded cluster, a process of this machine',
    'kip app deploy api --port 3000 -- node server.js             # the same',
    'kip app deploy api --image ghcr.io/shop/api:1.4 --port 8080  # on a real one',
    'kip app deploy api --env LOG_LEVEL=debug --replicas 3 --project shop --environment test',
    'kip app deploy -f app.yaml',
  ).action(async (_name, _words, _options, command: Command) =>
    (await import('../commands/app/deploy.ts')).deployApp(command.args, command.optsWithGlobals()),
  );
  examples(
    scoped(app.command('list').alias('ls').description('list apps'))
      .option('-A, --all', 'of every project and environment')
      .addOption(output()),
    'kip app list',
    'kip app list --all',
  ).action(async (_options, command: Command) => (await import('../commands/app/list.ts')).listApps(command.optsWithGlobals()));
  examples(
    scoped(app.command('info <name>').description('show image, replicas, address and bindings')).addOption(output()),
    'kip app info api',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/app/info.ts')).showApp(name, command.optsWithGlobals()),
  );
  examples(
    scoped(app.command('logs <name>').description('show what all pods of an app have printed'))
      .option('-f, --follow', 'go on until stopped, with new pods as they come')
      .addOption(new Option('--tail <lines>', 'only the last lines of each pod').argParser(wholeNumber))
      .addOption(new Option('--since <time>', 'only what is younger, for example 10m').argParser(seconds))
      .option('-p, --previous', 'of the run before the last restart'),
    'kip app logs api -f',
    'kip app logs api --tail 100 --since 10m',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/app/logs.ts')).appLogs(name, command.optsWithGlobals()),
  );
  examples(
    waiting(
      scoped(
        app
          .command('scale <name>')
          .description('change how many pods an app has')
          .addOption(new Option('--replicas <count>', 'pods (required)').argParser(wholeNumber)),
      ),
      'all of them run',
    ),
    'kip app scale api --replicas 3',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/app/scale.ts')).scaleApp(name, command.optsWithGlobals()),
  );
  examples(
    waiting(scoped(app.command('restart <name>').description('replace the pods of an app one after another')), 'all of them are new'),
    'kip app restart api',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/app/restart.ts')).restartApp(name, command.optsWithGlobals()),
  );
  defineEnvironment(app.command('env').description("show or change an app's variables"));
  examples(
    waiting(scoped(app.command('delete <name>').description('delete an app; what it stored in services stays')), 'it is gone'),
    'kip app delete api',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/app/delete.ts')).deleteApp(name, command.optsWithGlobals()),
  );
}

function defineEnvironment(env: Command): void {
  examples(
    scoped(env.command('list <name>', { isDefault: true }).description('show the variables, those of bindings too'))
      .option('--reveal', 'show the values')
      .addOption(output()),
    'kip app env api',
    'kip app env api --reveal',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/app/env.ts')).showEnvironment(name, command.optsWithGlobals()),
  );
  examples(
    waiting(
      scoped(
        env.command('set <name> [variables...]').description('set variables: KEY=VALUE, or KEY to take its value from here'),
      ).addOption(new Option('--env-file <file>', 'file of variables, a KEY=VALUE a line (repeatable)').argParser(collected)),
      'the app runs with them',
    ),
    'kip app env set api LOG_LEVEL=debug',
    'API_TOKEN=… kip app env set api API_TOKEN',
  ).action(async (name: string, variables: string[], _options, command: Command) =>
    (await import('../commands/app/env-set.ts')).setEnvironment(name, variables, command.optsWithGlobals()),
  );
  examples(
    waiting(scoped(env.command('unset <name> <variables...>').description('remove variables')), 'the app runs without them'),
    'kip app env unset api LOG_LEVEL',
  ).action(async (name: string, variables: string[], _options, command: Command) =>
    (await import('../commands/app/env-set.ts')).unsetEnvironment(name, variables, command.optsWithGlobals()),
  );
}
