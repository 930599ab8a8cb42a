import { existsSync } from 'node:fs';
import { KipError } from '@skipper/api';
import { loadKubeconfig, resolveCluster } from '@skipper/kube';
import { embeddedName, writeSettings } from '../../home.ts';
import { note, printable } from '../../output.ts';
import type { GlobalOptions } from '../../options.ts';

/** `kip cluster use` */
export async function useCluster(name: string | undefined, options: GlobalOptions & { unset?: boolean }): Promise<void> {
  if (options.unset) {
    writeSettings({});
    return note('KUBECONFIG decides, else the embedded cluster.');
  }
  if (name === undefined) throw new KipError('usage', 'Which cluster?', { hint: '"kip cluster list" shows them.' });
  if (name === embeddedName) {
    writeSettings({ context: embeddedName });
    return note('Commands talk to the embedded cluster from now on.');
  }
  const kubeconfig = await loadKubeconfig(options.kubeconfig ? { files: [options.kubeconfig] } : {});
  const { server } = resolveCluster(kubeconfig, name);
  writeSettings({ context: name, kubeconfigs: kubeconfig.files.filter((file) => existsSync(file)) });
  note(`Commands talk to cluster "${printable(name)}" (${printable(server)}) from now on.`);
}
