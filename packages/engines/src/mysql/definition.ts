import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Engine } from '../engine.ts';
import { fromCredentials } from '../environment.ts';
import { versionInTag } from '../versions.ts';
import { mysqlAccounts } from './accounts.ts';
import { mysqlProcess } from './process.ts';
import { commonOptions, poolArithmetic } from './settings.ts';

const repository = 'docker.io/library/mysql';
const port = 3306;
/** The account `mysql` of the image. */
const imageUser = 999;
const oldest: Series = [8, 4];
const newestMajor = 9;

/** Major and minor version. A tag without the minor stands for the newest. */
type Series = [number, number];

/** A folder of its own, which can be renamed and is empty on any volume. */
const dataFolder = '/var/lib/mysql/data';

/**
 * Makes the data folder beside its final place and renames it when it is whole, so that a kill at any point leaves nothing half made;
 * then becomes the server. There is no root: the administrator has all rights. The password is in a private file for as long as the first
 * start takes, and in no argument list. The options are spelled out because the image's own file of options differs between versions.
 */
const startScript = `set -eu
umask 077
data=${dataFolder}
init=/tmp/init.sql
literal() {
  rest=$1
  out=
  while [ -n "$rest" ]; do
    tail=\${rest#?}
    char=\${rest%"$tail"}
    case $char in "'" | '\\') char="\\\\$char" ;; esac
    out=$out$char
    rest=$tail
  done
  printf "'%s'" "$out"
}
if [ ! -e "$data" ]; then
  rm -rf "$data.new" "$init"
  {
    printf 'CREATE USER %s@%s IDENTIFIED BY %s;\\n' "$(literal "$MYSQL_USERNAME")" "'%'" "$(literal "$MYSQL_PWD")"
    printf 'GRANT ALL ON *.* TO %s@%s WITH GRANT OPTION;\\n' "$(literal "$MYSQL_USERNAME")" "'%'"
    printf 'CREATE DATABASE \`%s\`;\\n' "$MYSQL_DATABASE"
    printf "DROP USER 'root'@'localhost';\\n"
  } >"$init"
  mysqld --no-defaults --initialize-insecure --datadir="$data.new" --init-file="$init" --secure-file-priv=NULL
  rm -f "$init"
  sync
  mv "$data.new" "$data"
fi
limit=\${MEMORY_LIMIT:-0}
unset MYSQL_PWD
exec mysqld --no-defaults --datadir="$data" --port=${port} --bind-address='*' --socket=/var/run/mysqld/mysqld.sock \\
  --pid-file=/var/run/mysqld/mysqld.pid --mysqlx=OFF --secure-file-priv=NULL --disable-log-bin \\
  --innodb-buffer-pool-size=$((${poolArithmetic('limit')})) ${commonOptions.join(' ')}`;

/**
 * Over TCP, because nothing but the final server listens there. Takes the password from MYSQL_PWD. It succeeds when the server answers
 * at all, be it that there are too many connections: busy, and not to be killed.
 */
const ping = [
  'sh',
  '-c',
  `exec mysqladmin --no-defaults --host=127.0.0.1 --port=${port} --user="$MYSQL_USERNAME" --connect-timeout=4 ping`,
];

const probe = (timing: Omit<Probe, 'exec'>): Probe => ({ exec: { command: ping }, ...timing });

/** MySQL, from the Docker official image. https://github.com/docker-library/docs/tree/master/mysql */
export const mysql: Engine = {
  type: 'mysql',
  title: 'MySQL',
  // The series with long-term support, until 2032; those of 9 are each replaced within months, and a volume cannot go back.
  defaultVersion: '8.4',
  image: (version) => `${repository}:${version}`,
  versionOf: (image) => versionInTag(image, repository, ''),
  refuses: (version) => {
    const series = seriesOf(version);
    if (!series) return `"${version}" is not a version of MySQL; write for example 8.4 or 9.`;
    return compare(series, oldest) >= 0 && series[0] <= newestMajor
      ? undefined
      : `MySQL ${version} is not supported; ${oldest.join('.')} and ${newestMajor} are.`;
  },
  refusesChange: (from, to) => {
    const [before, after] = [seriesOf(from), seriesOf(to)];
    return before && after && compare(after, before) >= 0
      ? undefined
      : `The volume holds data of MySQL ${from}, which MySQL ${to} cannot open; set the version back to ${from}, or dump the data and load it into a new service.`;
  },
  ports: [{ name: 'mysql', port }],
  defaultStorage: '5Gi',
  defaultResources: { requests: { cpu: '100m', memory: '512Mi' }, limits: { memory: '1Gi' } },
  database: 'app',
  dataPath: '/var/lib/mysql',
  terminationGracePeriodSeconds: 120,
  podSecurityContext: { runAsUser: imageUser, runAsGroup: imageUser, fsGroup: imageUser },
  container: (context) => ({
    args: ['sh', '-c', startScript],
    env: [
      fromCredentials('MYSQL_USERNAME', 'username', context),
      // The name under which the clients look for a password, so that the probes pass none as an argument.
      fromCredentials('MYSQL_PWD', 'password', context),
      fromCredentials('MYSQL_DATABASE', 'database', context),
      { name: 'MEMORY_LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
    ],
    // An hour: the server listens only when a recovery is over, and a kill would begin it anew.
    startupProbe: probe({ periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 3600 }),
    readinessProbe: probe({ periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 }),
    livenessProbe: probe({ periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 }),
  }),
  scratchPaths: ['/var/run/mysqld', '/tmp'],
  uri: ({ host, port: actualPort, username, password, database }) =>
    `mysql://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${actualPort}/${encodeURIComponent(database ?? '')}`,
  process: () => mysqlProcess({ ping }),
  binding: { prefix: 'DB', variables: ({ database }) => ({ NAME: database }) },
  accounts: mysqlAccounts,
  client: {
    programs: ['mysql', 'mariadb'],
    command: (_, { host, port: actualPort, username, password, database }) => ({
      args: [
        '--protocol=tcp',
        `--host=${host}`,
        `--port=${actualPort}`,
        `--user=${username}`,
        ...(database === undefined ? [] : [`--database=${database}`]),
      ],
      env: { MYSQL_PWD: password },
    }),
  },
};

function seriesOf(version: string): Series | undefined {
  const [, major, minor] = /^(\d{1,2})(?:\.(\d{1,2})(?:\.\d{1,3})?)?$/.exec(version) ?? [];
  return major === undefined ? undefined : [Number(major), minor === undefined ? Infinity : Number(minor)];
}

function compare([major, minor]: Series, [otherMajor, otherMinor]: Series): number {
  return major === otherMajor ? (minor === otherMinor ? 0 : minor - otherMinor) : major - otherMajor;
}
