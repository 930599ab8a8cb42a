import { Option, type Command } from 'commander';
import { collected, examples, output, scoped, waiting } from './options.ts';

/** `kip apply` and `kip export` */
export function defineManifests(program: Command): void {
  examples(
    waiting(
      scoped(program.command('apply').description('make services and apps as manifests say; nothing is deleted'))
        .addOption(new Option('-f, --file <file>', 'manifest, folder of manifests, or - for stdin (repeatable)').argParser(collected))
        .option('--dry-run', 'only say what would change'),
      'all of them are ready',
    ).addOption(output()),
    'kip apply -f shop/ --project shop --environment test',
    'kip export --project shop --environment test | kip apply -f - --project shop --environment acc',
  ).action(async (_options, command: Command) => (await import('../commands/apply.ts')).applyManifests(command.optsWithGlobals()));
  examples(
    scoped(program.command('export').description('print the services and apps of a project as manifests')).addOption(
      new Option('-o, --output <format>', 'output format').choices(['yaml', 'json']).default('yaml'),
    ),
    'kip export --project shop --environment test > shop.yaml',
  ).action(async (_options, command: Command) => (await import('../commands/export.ts')).exportManifests(command.optsWithGlobals()));
}
