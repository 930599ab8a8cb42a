import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadKubeconfig, type Kubeconfig } from '@skipper/kube';
import { embeddedKubeconfig, embeddedName } from '../../home.ts';
import { print, printData, table } from '../../output.ts';
import type { GlobalOptions, OutputOptions } from '../../options.ts';
import { choiceOf, type Choice } from '../../target-cluster.ts';

interface Listed {
  name: string;
  server: string;
  current: boolean;
}

/** `kip cluster list` */
export async function listClusters(options: GlobalOptions & OutputOptions): Promise<void> {
  const clusters = await clustersOf(options);
  if (await printData(options, clusters)) return;
  print(
    table([['', 'NAME', 'SERVER'], ...clusters.map(({ name, server, current: isCurrent }) => [isCurrent ? '*' : '', name, server])], 2),
  );
}

export async function clustersOf(options: GlobalOptions): Promise<Listed[]> {
  const kubeconfig = await loadKubeconfig({ files: options.kubeconfig === undefined ? undefined : [options.kubeconfig] });
  const choice = choiceOf(options) ?? embeddedName;
  const elsewhere = choice !== embeddedName && isElsewhere(choice, kubeconfig) ? await fromElsewhere(choice) : undefined;
  const current = choice === embeddedName ? undefined : (choice.context ?? kubeconfig.currentContext);
  return [
    {
      name: embeddedName,
      server: existsSync(embeddedKubeconfig())
        ? serverOf(await loadKubeconfig({ files: [embeddedKubeconfig()] }), 'kip')
        : 'not made yet: kip up',
      current: choice === embeddedName,
    },
    ...[...kubeconfig.contexts.keys()].map((name) => ({
      name,
      server: serverOf(kubeconfig, name),
      current: !elsewhere && name === current,
    })),
    ...(elsewhere ? [elsewhere] : []),
  ];
}

/** Whether what was chosen is in other files than those that are listed, which may have a context of the same name. */
function isElsewhere({ kubeconfigs }: Choice, { files }: Kubeconfig): boolean {
  return (
    kubeconfigs !== undefined && files.filter((file) => existsSync(file)).join('\n') !== kubeconfigs.map((file) => resolve(file)).join('\n')
  );
}

async function fromElsewhere({ context = '', kubeconfigs = [] }: Choice): Promise<Listed> {
  const server = await loadKubeconfig({ files: kubeconfigs }).then(
    (kubeconfig) => serverOf(kubeconfig, context),
    () => `${kubeconfigs.join(', ')} cannot be read`,
  );
  return { name: context, server, current: true };
}

function serverOf({ contexts, clusters }: Kubeconfig, context: string): string {
  return clusters.get(contexts.get(context)?.cluster ?? '')?.server ?? '-';
}
