import { Option, type Command } from 'commander';
import { examples, output, portNumber, scoped, seconds, wholeNumber, waiting } from './options.ts';

/** `kip service …` */
export function defineService(service: Command): void {
  examples(
    waiting(
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
        .option('--storage-class <name>', 'storage class of the volume'),
      'it is ready',
    ).addOption(output()),
    'kip service add postgres --name mydb',
    'kip service add postgres --name db --project shop --environment test --storage 1Gi',
  ).action(async (type: string, _options, command: Command) =>
    (await import('../commands/service/add.ts')).addService(type, command.optsWithGlobals()),
  );
  examples(
    scoped(service.command('list').alias('ls').description('list services'))
      .option('-A, --all', 'of every project and environment')
      .addOption(output()),
    'kip service list',
    'kip service list --all -o json',
  ).action(async (_options, command: Command) => (await import('../commands/service/list.ts')).listServices(command.optsWithGlobals()));
  examples(
    scoped(service.command('info <name>').description('show connection details')).addOption(output()),
    'kip service info mydb',
    'kip service info mydb -o json',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/service/info.ts')).showService(name, command.optsWithGlobals()),
  );
  defineBinding(service);
  examples(
    scoped(service.command('connect <name>').alias('open').description("open the engine's own client through a tunnel")),
    'kip service connect mydb',
    'kip service open storage',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/service/connect.ts')).connectService(name, command.optsWithGlobals()),
  );
  examples(
    scoped(service.command('logs <name>').description('show what a service has printed'))
      .option('-f, --follow', 'go on until stopped')
      .addOption(new Option('--tail <lines>', 'only the last lines').argParser(wholeNumber))
      .addOption(new Option('--since <time>', 'only what is younger, for example 10m').argParser(seconds))
      .option('-p, --previous', 'of the run before the last restart'),
    'kip service logs mydb --tail 50',
    'kip service logs mydb -f',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/service/logs.ts')).serviceLogs(name, command.optsWithGlobals()),
  );
  examples(
    waiting(
      scoped(
        service
          .command('restart <name>')
          .description('restart a service; its clients lose their connections')
          .option('--force', 'yes, restart it'),
      ),
      'it is ready again',
    ),
    'kip service restart mydb --force',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/service/restart.ts')).restartService(name, command.optsWithGlobals()),
  );
  examples(
    waiting(
      scoped(
        service
          .command('delete <name>')
          .description('delete a service and permanently destroy its data')
          .option('--delete-data', 'yes, destroy the volume and all data'),
      ),
      'it is gone',
    ),
    'kip service delete mydb --delete-data',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/service/delete.ts')).deleteService(name, command.optsWithGlobals()),
  );
}

function defineBinding(service: Command): void {
  examples(
    waiting(
      scoped(service.command('bind <service> <app>').description('give an app an account of its own in a service, and its variables'))
        .option('--prefix <prefix>', "first part of the variables' names (default: DB, S3, REDIS, AMQP or OPENSEARCH)")
        .option('--database <name>', "the app's own database, bucket or prefix (default: made of the app's name and the environment)")
        .option('--vhost <name>', "the app's own virtual host: --database in RabbitMQ's words"),
      'the app runs with them',
    ).addOption(output()),
    'kip service bind db api --project shop --environment test',
    'kip service bind reports api --prefix REPORTS --database reporting',
  ).action(async (name: string, app: string, _options, command: Command) =>
    (await import('../commands/service/bind.ts')).bindService(name, app, command.optsWithGlobals()),
  );
  examples(
    waiting(
      scoped(service.command('unbind <service> <app>').description("take an app's account and variables away; its data stays")),
      'the app runs without them',
    ),
    'kip service unbind db api --project shop --environment test',
  ).action(async (name: string, app: string, _options, command: Command) =>
    (await import('../commands/service/unbind.ts')).unbindService(name, app, command.optsWithGlobals()),
  );
}

/** `kip tunnel` */
export function defineTunnel(program: Command): void {
  examples(
    scoped(program.command('tunnel <name>').description('bring a service to a port on this machine')).addOption(
      new Option('--local-port <port>', "port on this machine; 0 picks a free one (default: the service's own)").argParser(portNumber),
    ),
    'kip tunnel mydb',
    'kip tunnel mydb --local-port 15432',
  ).action(async (name: string, _options, command: Command) =>
    (await import('../commands/tunnel.ts')).tunnel(name, command.optsWithGlobals()),
  );
}
