import { existsSync } from 'node:fs';
import { loadKubeconfig } from '@skipper/kube';
import { embeddedKubeconfig, readSettings } from '../../home.ts';
import { print, printData, table } from '../../output.ts';
import type { GlobalOptions, OutputOptions } from '../../options.ts';
import { embeddedName } from '../../target-cluster.ts';

/** `kip cluster list` */
export async function listClusters(options: GlobalOptions & OutputOptions): Promise<void> {
  const kubeconfig = await loadKubeconfig(options.kubeconfig ? { files: [options.kubeconfig] } : {});
  const chosen =
    options.context ??
    readSettings().context ??
    (process.env['KUBECONFIG'] || options.kubeconfig ? kubeconfig.currentContext : embeddedName);
  const clusters = [
    {
      name: embeddedName,
      server: existsSync(embeddedKubeconfig())
        ? serverOf(await loadKubeconfig({ files: [embeddedKubeconfig()] }), 'kip')
        : 'not made yet: kip up',
    },
    ...[...kubeconfig.contexts.keys()].map((name) => ({ name, server: serverOf(kubeconfig, name) })),
  ].map((cluster) => ({ ...cluster, current: cluster.name === chosen }));
  if (await printData(options, clusters)) return;
  print(table([['', 'NAME', 'SERVER'], ...clusters.map(({ name, server, current }) => [current ? '*' : '', name, server])], 2));
}

function serverOf({ contexts, clusters }: Awaited<ReturnType<typeof loadKubeconfig>>, context: string): string {
  return clusters.get(contexts.get(context)?.cluster ?? '')?.server ?? '-';
}
