import { spawn } from 'node:child_process';
import { childNames, KipError } from '@skipper/api';
import { engineOf, type Connection, type Engine } from '@skipper/engines';
import { openTunnel, type Tunnel } from '@skipper/kube';
import { findOnPath } from '../../find-on-path.ts';
import type { ScopeOptions } from '../../options.ts';
import { note, print, printable } from '../../output.ts';
import { connectionOf, inScope, requireService, scopeOfOptions } from '../../services.ts';
import { stopRequested } from '../../stop-requested.ts';
import { withCluster } from '../../target-cluster.ts';

/** `kip service connect` */
export async function connectService(name: string, options: ScopeOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const service = await requireService(client, name, scope);
    const engine = engineOf(service.spec.type);
    const info = inScope(`kip service info ${name}`, scope);
    const open = (port: number): Promise<Tunnel> =>
      openTunnel(client, {
        namespace: scope.namespace,
        pod: childNames.pod(name),
        port,
        localPort: 0,
        onNotice: (message) => note(`  ${printable(message)}`),
      });
    const connection = await connectionOf(client, service, scope);
    if (engine.details || !engine.client) return holdOpen(engine, connection, open, info);
    const program = engine.client.programs.find(findOnPath);
    if (!program)
      throw new KipError('engine-unavailable', `No client for ${engine.title} is installed: ${engine.client.programs.join(' or ')}.`, {
        hint: `Install one, or open "${inScope(`kip tunnel ${name}`, scope)}" and connect any other with what "${info}" shows.`,
      });
    const tunnel = await open(engine.ports[0].port);
    try {
      const { args, env } = engine.client.command(program, { ...connection, host: '127.0.0.1', port: tunnel.localPort });
      process.exitCode = await runInForeground(program, args, env);
    } finally {
      await tunnel.close();
    }
  });
}

/** What is used by a browser or a library: every port of it, with the addresses that it has here, until stopped. */
async function holdOpen(engine: Engine, connection: Connection, open: (port: number) => Promise<Tunnel>, info: string): Promise<void> {
  const tunnels = new Map<number, Tunnel>();
  try {
    for (const { port } of engine.ports) tunnels.set(port, await open(port));
    const here = (port: number): string => `localhost:${tunnels.get(port)!.localPort}`;
    const addresses = (engine.details?.(connection) ?? []).map(({ label, value }) => ({ label, url: urlOf(value) }));
    for (const { label, url } of addresses)
      if (url && tunnels.has(Number(url.port))) print(`  ${`${label}:`.padEnd(9)} ${url.protocol}//${here(Number(url.port))}`);
    for (const { name, port } of engine.ports)
      if (!addresses.some(({ url }) => Number(url?.port) === port)) print(`  ${`${name}:`.padEnd(9)} ${here(port)}`);
    print(`  Username: ${printable(connection.username)}`);
    note(`  Its password is in "${info}".`);
    print('  Press Ctrl+C to close');
    await stopRequested();
  } finally {
    await Promise.all([...tunnels.values()].map((tunnel) => tunnel.close()));
  }
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** @returns its exit code. Ctrl+C is the program's: there it may end no more than a query. */
function runInForeground(program: string, args: readonly string[], env: Record<string, string>): Promise<number> {
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  return new Promise<number>((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...env } });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  }).finally(() => process.off('SIGINT', ignore));
}
