import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readFile, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { compared, type Measurement } from './measurement.ts';
import { kip, run } from './programs.ts';
import { median, timed } from './sampling.ts';

const rounds = 5;
/** PostgreSQL refuses to run as root; the embedded cluster runs its pods as "nobody" then. */
const uid = process.getuid?.() === 0 ? 65_534 : undefined;

/** `kip service add postgres` until it is Ready, beside the same programs run by hand: initdb, a start, a first query. */
export async function benchEmbeddedService(env: NodeJS.ProcessEnv): Promise<Measurement[]> {
  const added: number[] = [];
  const bare: number[] = [];
  await kip(['service', 'add', 'postgres', '--name', 'first'], env);
  const programs = await runningPostgres();
  for (let round = 0; round < rounds; round++) {
    const name = `bench-${round}`;
    added.push(await timed(() => kip(['service', 'add', 'postgres', '--name', name], env)));
    bare.push(await bareStart(programs));
    await kip(['service', 'delete', name, '--delete-data'], env);
  }
  await kip(['service', 'delete', 'first', '--delete-data'], env);
  return [
    compared(
      'embedded cluster: service add postgres until Ready',
      median(added),
      'ms',
      { name: 'bare initdb and start', value: median(bare) },
      '≤ 2',
    ),
  ];
}

/** The folder of the PostgreSQL programs that a pod runs. */
async function runningPostgres(): Promise<string> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (/\/postgres\0-D\0/.test(command)) return dirname(await readlink(`/proc/${pid}/exe`));
  }
  throw new Error('the service "first" is Ready, yet no PostgreSQL runs');
}

async function bareStart(programs: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'kip-bench-'));
  const data = join(folder, 'data');
  await writeFile(join(folder, 'password'), 'bench\n');
  if (uid !== undefined) for (const path of [folder, join(folder, 'password')]) await chown(path, uid, uid);
  const port = await freePort();
  const started = performance.now();
  await run(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'bench', `--pwfile=${join(folder, 'password')}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C'],
    { uid },
  );
  const server = spawn(
    join(programs, 'postgres'),
    ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    { stdio: 'ignore', ...(uid === undefined ? {} : { uid, gid: uid }) },
  );
  try {
    while (!(await answers(port))) {
      if (server.exitCode !== null) throw new Error(`PostgreSQL ended with ${server.exitCode}`);
      await delay(5);
    }
    return performance.now() - started;
  } finally {
    if (server.exitCode === null) {
      const ended = once(server, 'exit');
      server.kill('SIGINT');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function answers(port: number): Promise<boolean> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'bench', password: 'bench', database: 'postgres' });
  try {
    await client.connect();
  } catch {
    // Not to be ended: what never began would be waited for without end.
    return false;
  }
  await client.query('SELECT 1');
  await client.end();
  return true;
}
