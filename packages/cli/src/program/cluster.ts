import type { Command } from 'commander';
import { examples, output } from './options.ts';

/** `kip cluster …` */
export function defineCluster(cluster: Command): void {
  cluster
    .command('list')
    .description('list the clusters that can be used')
    .addOption(output())
    .action(async (_options, command: Command) => (await import('../commands/cluster/list.ts')).listClusters(command.optsWithGlobals()));
  examples(
    cluster
      .command('use [name]')
      .description('use this context from now on; "embedded" is the cluster of kip up')
      .option('--unset', 'let KUBECONFIG or the embedded cluster decide again'),
    'kip cluster use my-context',
    'kip cluster use embedded',
  ).action(async (name: string | undefined, _options, command: Command) =>
    (await import('../commands/cluster/use.ts')).useCluster(name, command.optsWithGlobals()),
  );
}
