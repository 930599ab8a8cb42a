import { appDetails, appText } from '../../app-details.ts';
import { requireApp } from '../../apps.ts';
import type { OutputOptions, ScopeOptions } from '../../options.ts';
import { note, print, printable, printData } from '../../output.ts';
import { scopeOfOptions } from '../../services.ts';
import { withCluster } from '../../target-cluster.ts';

/** `kip app info` */
export async function showApp(name: string, options: ScopeOptions & OutputOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const app = await requireApp(client, name, scope);
    const details = appDetails(app, scope);
    if (await printData(options, details)) return;
    print(appText(app));
    if (details.message) note(`  It is ${details.status}: ${printable(details.message)}`);
    for (const { service, ready, message } of details.bindings) if (!ready) note(`  ${service}: ${printable(message)}`);
  });
}
