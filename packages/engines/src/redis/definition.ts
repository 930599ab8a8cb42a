import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Engine } from '../engine.ts';
import { fromCredentials } from '../environment.ts';
import { majorOf, versionInTag } from '../versions.ts';
import { redisProcess } from './process.ts';
import { keyPrefix, redisAccounts } from './accounts.ts';
import { accountsFile, administratorAccounts, administratorLines, dataShare, redisConfig } from './settings.ts';

const repository = 'docker.io/library/redis';
const variant = '-alpine';
const oldestMajor = 7;
const newestMajor = 8;
const port = 6379;
/** The account `redis` of the Alpine image. */
const imageUser = 999;
const imageGroup = 1000;

const accounts = `/data/${accountsFile}`;
const settings = redisConfig({ dataFolder: '/data', accountsFile: accounts });
/** With the shell's variables in them. */
const administrators = administratorAccounts('$REDIS_USERNAME', '$hash');
const areAdministrators = administratorLines('$REDIS_USERNAME')
  .map((beginning) => `-e "^${beginning}"`)
  .join(' ');

/**
 * Writes the settings and the administrator's accounts, keeps those of apps, and becomes the server. Only the password's hash is
 * written, and nothing secret is an argument. The accounts are replaced whole or not at all, whenever this is killed.
 */
const startScript = `set -eu
umask 077
hash=$(printf %s "$REDISCLI_AUTH" | sha256sum)
hash=\${hash%% *}
rm -f ${accounts}.tmp-*
cat >${accounts}.new <<END
${administrators}END
if [ -e ${accounts} ]; then grep -v ${areAdministrators} ${accounts} >>${accounts}.new || [ $? -eq 1 ]; fi
sync
mv ${accounts}.new ${accounts}
cat >/tmp/redis.conf <<END
${settings}END
if [ -n "\${MEMORY_LIMIT:-}" ]; then echo "maxmemory $((MEMORY_LIMIT / 100 * ${dataShare * 100}))" >>/tmp/redis.conf; fi
exec redis-server /tmp/redis.conf`;

const ping = `redis-cli -h 127.0.0.1 -p ${port} --user "$REDIS_USERNAME" ping`;
const acceptsCommands = ['sh', '-c', `[ "$(${ping})" = PONG ]`];
/** What a server says that is there, though it reads a big log, is busy, full, or does not let the administrator in. */
const signsOfLife = ['PONG', 'LOADING', 'BUSY', 'MASTERDOWN', 'MISCONF', 'NOAUTH', 'WRONGPASS', "'max number of clients'"];
/** Some of it redis-cli prints as errors, where it also says that nobody answers. */
const isAlive = ['sh', '-c', `case "$(${ping} 2>&1)" in ${signsOfLife.map((sign) => `*${sign}*`).join('|')}) ;; *) exit 1 ;; esac`];

const probe = (command: string[], timing: Omit<Probe, 'exec'>): Probe => ({ exec: { command }, ...timing });

/** Redis, from the Docker official image. https://github.com/docker-library/docs/tree/master/redis */
export const redis: Engine = {
  type: 'redis',
  title: 'Redis',
  defaultVersion: '8',
  image: (version) => `${repository}:${version}${variant}`,
  versionOf: (image) => versionInTag(image, repository, variant),
  refuses: (version) => {
    if (!/^\d{1,2}(\.\d{1,3}){0,2}$/.test(version)) return `"${version}" is not a version of Redis; write for example 8 or 7.4.`;
    const major = majorOf(version);
    return major >= oldestMajor && major <= newestMajor
      ? undefined
      : `Redis ${version} is not supported; ${oldestMajor} and ${newestMajor} are.`;
  },
  refusesChange: (from, to) =>
    majorOf(to) >= majorOf(from)
      ? undefined
      : `The volume holds data of Redis ${majorOf(from)}, which Redis ${majorOf(to)} cannot read; set the version back to ${majorOf(from)}.`,
  ports: [{ name: 'redis', port }],
  defaultStorage: '1Gi',
  defaultResources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
  dataPath: '/data',
  terminationGracePeriodSeconds: 60,
  podSecurityContext: { runAsUser: imageUser, runAsGroup: imageGroup, fsGroup: imageGroup },
  container: (context) => ({
    args: ['sh', '-c', startScript],
    env: [
      fromCredentials('REDIS_USERNAME', 'username', context),
      // The name under which redis-cli looks for a password, so that the probes pass none as an argument.
      fromCredentials('REDISCLI_AUTH', 'password', context),
      { name: 'MEMORY_LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
    ],
    startupProbe: probe(isAlive, { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 300 }),
    readinessProbe: probe(acceptsCommands, { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 }),
    livenessProbe: probe(isAlive, { periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 }),
  }),
  scratchPaths: ['/tmp'],
  uri: ({ host, port: actualPort, username, password }) =>
    `redis://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${actualPort}`,
  process: () => redisProcess({ acceptsCommands, isAlive }),
  binding: { prefix: 'REDIS', variables: ({ database }) => ({ KEY_PREFIX: keyPrefix(database) }) },
  accounts: redisAccounts,
  client: {
    programs: ['redis-cli', 'valkey-cli'],
    command: (_, { host, port: actualPort, username, password }) => ({
      args: ['-h', host, '-p', String(actualPort), '--user', username],
      env: { REDISCLI_AUTH: password },
    }),
  },
};
