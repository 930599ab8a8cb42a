import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Engine } from '../engine.ts';
import { fromCredentials } from '../environment.ts';
import { majorOf, versionInTag } from '../versions.ts';
import { postgresAccounts } from './accounts.ts';
import { postgresProcess } from './process.ts';

const repository = 'docker.io/library/postgres';
const variant = '-alpine';
const oldestMajor = 14;
const newestMajor = 18;
const port = 5432;
/** The account `postgres` of the Alpine image. */
const imageUser = 70;

/**
 * Makes the database cluster beside its final place and renames it when it is whole, so that a kill at any point leaves nothing
 * half made (the image's own entrypoint would take a half-made cluster for a finished one); then becomes the server.
 * `initdb` reads the password from its input: it stands in no argument list and no file.
 */
const startScript = `set -eu
if [ ! -e "$PGDATA" ]; then
  rm -rf "$PGDATA.new"
  mkdir -p "\${PGDATA%/*}"
  printf '%s\\n' "$POSTGRES_PASSWORD" | initdb -D "$PGDATA.new" -U "$POSTGRES_USER" --pwfile=/dev/stdin $POSTGRES_INITDB_ARGS
  printf 'host all all all scram-sha-256\\n' >>"$PGDATA.new/pg_hba.conf"
  printf 'CREATE DATABASE "%s"\\n' "$POSTGRES_DB" | postgres --single -D "$PGDATA.new" postgres
  sync
  mv "$PGDATA.new" "$PGDATA"
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql`;

/** Over TCP, because nothing but the final server listens there. */
const acceptsConnections = ['pg_isready', '-q', '-h', '127.0.0.1', '-p', String(port)];
/** `pg_isready` answers 1 while the server recovers from a crash or shuts down: busy, and not to be killed. */
const isAlive = ['sh', '-c', `${acceptsConnections.join(' ')}; [ $? -lt 2 ]`];

const probe = (command: string[], timing: Omit<Probe, 'exec'>): Probe => ({ exec: { command }, ...timing });

/** PostgreSQL, from the Docker official image. https://github.com/docker-library/docs/tree/master/postgres */
export const postgres: Engine = {
  type: 'postgres',
  title: 'PostgreSQL',
  defaultVersion: '18',
  image: (version) => `${repository}:${version}${variant}`,
  versionOf: (image) => versionInTag(image, repository, variant),
  refuses: (version) => {
    if (!/^\d{1,2}(\.\d{1,3})?$/.test(version)) return `"${version}" is not a version of PostgreSQL; write for example 18 or 17.6.`;
    const major = majorOf(version);
    return major >= oldestMajor && major <= newestMajor
      ? undefined
      : `PostgreSQL ${version} is not supported; ${oldestMajor} to ${newestMajor} are.`;
  },
  refusesChange: (from, to) =>
    majorOf(from) === majorOf(to)
      ? undefined
      : `The volume holds data of PostgreSQL ${majorOf(from)}, which PostgreSQL ${majorOf(to)} cannot open; set the version back to ${majorOf(from)}, or dump the data and load it into a new service.`,
  ports: [{ name: 'postgres', port }],
  defaultStorage: '5Gi',
  defaultResources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
  database: 'app',
  // Since 18 the image keeps data in a folder per major version below this one; it is set for older ones as well, so that one volume can hold two majors during an upgrade.
  dataPath: '/var/lib/postgresql',
  terminationGracePeriodSeconds: 120,
  podSecurityContext: { runAsUser: imageUser, runAsGroup: imageUser, fsGroup: imageUser },
  container: (context) => {
    const major = majorOf(context.version);
    return {
      args: ['sh', '-c', startScript],
      env: [
        fromCredentials('POSTGRES_USER', 'username', context),
        fromCredentials('POSTGRES_PASSWORD', 'password', context),
        fromCredentials('POSTGRES_DB', 'database', context),
        { name: 'POSTGRES_INITDB_ARGS', value: initdbOptions(major).join(' ') },
        { name: 'PGDATA', value: `/var/lib/postgresql/${major}/docker` },
      ],
      // Ten minutes for initdb or the start of a long recovery on a slow disk.
      startupProbe: probe(isAlive, { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 600 }),
      readinessProbe: probe(acceptsConnections, { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 }),
      livenessProbe: probe(isAlive, { periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 }),
      // SIGTERM would wait for every client to leave; SIGINT rolls their transactions back and stops cleanly.
      lifecycle: { preStop: { exec: { command: ['sh', '-c', 'kill -INT 1'] } } },
    };
  },
  scratchPaths: ['/var/run/postgresql', '/tmp'],
  uri: ({ host, port: actualPort, username, password, database }) =>
    `postgresql://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${actualPort}/${encodeURIComponent(database ?? username)}`,
  process: (version) => postgresProcess({ major: majorOf(version), initdbOptions: initdbOptions(majorOf(version)), isAlive }),
  binding: { prefix: 'DB', variables: ({ database }) => ({ NAME: database }) },
  accounts: postgresAccounts,
  client: {
    programs: ['psql'],
    command: (_, { host, port: actualPort, username, password, database }) => ({
      args: ['--host', host, '--port', String(actualPort), '--username', username, '--dbname', database ?? username],
      env: { PGPASSWORD: password },
    }),
  },
};

/** The same on every platform: since 17 PostgreSQL brings a UTF-8 locale of its own, whose order no library update changes. */
function initdbOptions(major: number): string[] {
  const locale = major >= 17 ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : ['--locale=C.UTF-8'];
  return ['--no-instructions', '--encoding=UTF8', ...locale, '--auth-local=trust', '--auth-host=scram-sha-256'];
}
