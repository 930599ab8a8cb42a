import { childNames, KipError, scopeOf, statefulServices } from '@skipper/api';
import { openTunnel } from '@skipper/kube';
import { colors, note, print, startProgress } from '../output.ts';
import { ensureRunning } from '../embedded-process.ts';
import { embeddedName } from '../home.ts';
import type { GlobalOptions } from '../options.ts';
import { connectionOf, connectionText } from '../services.ts';
import { withCluster } from '../target-cluster.ts';
import { isServiceReady, waitForService } from '../wait.ts';
import { addService } from './service/add.ts';

export type DemoOptions = GlobalOptions;

const name = 'mydb';

/** `kip demo`: the main job, end to end, on the embedded cluster. */
export async function demo(options: DemoOptions): Promise<void> {
  const target = { ...options, context: embeddedName, kubeconfig: undefined };
  const done = (text: string): void => print(`  ${colors.green('✔')}  ${text}`);
  const progress = startProgress();
  progress.update('starting the embedded cluster');
  const running = await ensureRunning().finally(() => progress.done());
  done(`The embedded cluster is up: ${running.server}`);
  const scope = scopeOf(undefined, undefined);
  const { namespace } = scope;
  const before = await withCluster(target, ({ client }) => client.find(statefulServices, name, { namespace }));
  if (before && before.spec.type !== 'postgres')
    throw new KipError(
      'already-exists',
      `The service "${name}" is of type ${before.spec.type}; the demo needs that name for a PostgreSQL.`,
      {
        hint: `Use yours as it is: "kip service info ${name}" shows how.`,
      },
    );
  if (!before) {
    note(`\n  $ kip service add postgres --name ${name}`);
    await addService('postgres', { ...target, name, wait: false, timeout: 300, output: 'text' });
  }
  await withCluster(target, async ({ client }) => {
    const service = (await waitForService(client, name, scope, 300, isServiceReady))!;
    done(`Service "${name}" (PostgreSQL) is running`);
    const connection = await connectionOf(client, service, scope);
    const tunnel = await openTunnel(client, { namespace, pod: childNames.pod(name), port: connection.port, localPort: 0 });
    try {
      const { count, text } = await writeAndRead({ ...connection, host: '127.0.0.1', port: tunnel.localPort });
      done(`Through a tunnel: wrote a row and read it back, "${text}" (${count} ${count === 1 ? 'row' : 'rows'} so far)`);
    } finally {
      await tunnel.close();
    }
    print(`\n${connectionText(service, connection)}\n`);
    note(
      [
        'Next:',
        `  kip tunnel ${name}                            connect a desktop client to localhost:5432`,
        '  kip service add redis --name cache         add another service',
        '  kip service list                           see what runs',
        '  kip down                                   stop everything; the data is kept',
      ].join('\n'),
    );
  });
}

async function writeAndRead(connection: {
  host: string;
  port: number;
  username: string;
  password: string;
  database?: string;
}): Promise<{ count: number; text: string }> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    user: connection.username,
    password: connection.password,
    database: connection.database,
  });
  await client.connect();
  try {
    await client.query(
      'CREATE TABLE IF NOT EXISTS greetings (id serial PRIMARY KEY, text text NOT NULL, at timestamptz NOT NULL DEFAULT now())',
    );
    const {
      rows: [written],
    } = await client.query<{ id: number }>('INSERT INTO greetings (text) VALUES ($1) RETURNING id', ['Hello from Skipper']);
    const {
      rows: [read],
    } = await client.query<{ text: string; count: string }>(
      'SELECT text, (SELECT count(*) FROM greetings) AS count FROM greetings WHERE id = $1',
      [written!.id],
    );
    return { count: Number(read!.count), text: read!.text };
  } finally {
    await client.end();
  }
}
