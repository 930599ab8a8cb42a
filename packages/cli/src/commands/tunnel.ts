import { childNames } from '@skipper/api';
import { engineOf } from '@skipper/engines';
import { openTunnel } from '@skipper/kube';
import { colors, note, print, printable } from '../output.ts';
import type { ScopeOptions } from '../options.ts';
import { requireService, scopeOfOptions } from '../services.ts';
import { stopRequested } from '../stop-requested.ts';
import { withCluster } from '../target-cluster.ts';

export interface TunnelCommandOptions extends ScopeOptions {
  localPort?: number;
}

/** `kip tunnel` */
export async function tunnel(name: string, options: TunnelCommandOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const service = await requireService(client, name, scope);
    const { port } = engineOf(service.spec.type).ports[0];
    const opened = await openTunnel(client, {
      namespace: scope.namespace,
      pod: childNames.pod(name),
      port,
      localPort: options.localPort ?? port,
      onNotice: (message) => note(`  ${printable(message)}`),
    });
    print(`  ${colors.green('✔')}  Tunnel open: localhost:${opened.localPort} → ${name} (${service.spec.type})`);
    print('  Press Ctrl+C to close');
    await stopRequested();
    await opened.close();
  });
}
