import { existsSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PrepareContext } from '@skipper/api';
import { debianLibraryPath, provideFromDebian } from '../programs/debian-package.ts';
import { findPrograms } from '../programs/find-program.ts';

const packageName = 'rabbitmq-server';

export interface RabbitmqPrograms {
  /** With `plugins` and `escript` below it. */
  home: string;
  /** Erlang's root folder. */
  erlang: string;
  /** The folder with `erlexec` and `epmd`. */
  runtime: string;
  env: Record<string, string>;
}

/** RabbitMQ and the Erlang that runs it on this machine; `undefined` when there is none yet. */
export async function findRabbitmq(enginesDir: string): Promise<RabbitmqPrograms | undefined> {
  const installed = await programsOf(
    [...(await brokersBelow('/usr/lib/rabbitmq/lib')), ...(await brokerOnPath())],
    ['/usr/lib/erlang', '/usr/lib64/erlang', '/usr/local/lib/erlang', '/opt/homebrew/lib/erlang'],
  );
  if (installed) return { ...installed, env: {} };
  const root = fetchedFolder(enginesDir);
  const fetched = await programsOf(await brokersBelow(join(root, 'usr/lib/rabbitmq/lib')), [join(root, 'usr/lib/erlang')]);
  return fetched && { ...fetched, env: { LD_LIBRARY_PATH: await debianLibraryPath(root) } };
}

/** Makes sure that {@link findRabbitmq} finds. @throws KipError `engine-unavailable` */
export async function provideRabbitmq(context: PrepareContext): Promise<void> {
  if (await findRabbitmq(context.enginesDir)) return;
  const hint = `Install RabbitMQ so that "${packageName}" is on PATH, for example with "apt-get install rabbitmq-server" or "brew install rabbitmq".`;
  await provideFromDebian({ program: packageName, name: packageName, hint }, fetchedFolder(context.enginesDir), context);
}

const fetchedFolder = (enginesDir: string): string => join(enginesDir, 'rabbitmq-debian');

async function programsOf(homes: readonly string[], erlangs: readonly string[]): Promise<Omit<RabbitmqPrograms, 'env'> | undefined> {
  for (const home of homes) {
    if (!existsSync(join(home, 'plugins'))) continue;
    for (const erlang of erlangs) {
      const runtimes = (await namesIn(erlang)).filter((name) => name.startsWith('erts-')).map((name) => join(erlang, name, 'bin'));
      const runtime = await findPrograms(['erlexec', 'epmd'], runtimes, '');
      if (runtime) return { home, erlang, runtime };
    }
  }
  return undefined;
}

async function brokersBelow(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter((name) => name.startsWith('rabbitmq_server-')).map((name) => join(folder, name));
}

/** The makers' own archive, and Homebrew: the script stands in `sbin`, beside `plugins`. */
async function brokerOnPath(): Promise<string[]> {
  const folder = await findPrograms([packageName], []);
  return folder ? [dirname(dirname(await realpath(join(folder, packageName))))] : [];
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort().reverse();
}
