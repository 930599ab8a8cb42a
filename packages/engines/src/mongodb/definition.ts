import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Engine } from '../engine.ts';
import { fromCredentials } from '../environment.ts';
import { majorOf, versionInTag } from '../versions.ts';
import { mongodbAccounts } from './accounts.ts';
import { mongosh } from './client.ts';
import { acceptsClients, hasStarted, isAlive, mongodbPort } from './probes.ts';
import { mongodbProcess } from './process.ts';
import { defaultDatabase, mongodbUri } from './uri.ts';

const repository = 'docker.io/library/mongo';
const oldestMajor = 7;
const newestMajor = 8;
/** The account `mongodb` of the image. */
const imageUser = 999;
const day = 24 * 60 * 60;

const probe = (command: string[], timing: Omit<Probe, 'exec'>): Probe => ({ exec: { command }, ...timing });

/** MongoDB, from the Docker official image. https://github.com/docker-library/docs/tree/master/mongo */
export const mongodb: Engine = {
  type: 'mongodb',
  title: 'MongoDB',
  defaultVersion: '8.0',
  image: (version) => `${repository}:${version}`,
  versionOf: (image) => versionInTag(image, repository, ''),
  refuses: (version) => {
    if (!/^\d{1,2}(\.\d{1,3}){0,2}$/.test(version)) return `"${version}" is not a version of MongoDB; write for example 8.0 or 7.0.`;
    const major = majorOf(version);
    return major >= oldestMajor && major <= newestMajor
      ? undefined
      : `MongoDB ${version} is not supported; ${oldestMajor} and ${newestMajor} are.`;
  },
  refusesChange: (from, to) =>
    isOlderSeries(to, from)
      ? `The volume holds data of MongoDB ${from}, which the older ${to} cannot open; set the version back to ${from}.`
      : undefined,
  ports: [{ name: 'mongodb', port: mongodbPort }],
  defaultStorage: '5Gi',
  defaultResources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
  database: defaultDatabase,
  dataPath: '/data/db',
  terminationGracePeriodSeconds: 120,
  podSecurityContext: { runAsUser: imageUser, runAsGroup: imageUser, fsGroup: imageUser },
  container: (context) => ({
    // The image's entrypoint turns authentication on and makes the administrator, because of the variables. The server takes the
    // size of its cache from the container's memory limit, which it knows.
    args: ['mongod', '--bind_ip_all'],
    env: [
      fromCredentials('MONGO_INITDB_ROOT_USERNAME', 'username', context),
      fromCredentials('MONGO_INITDB_ROOT_PASSWORD', 'password', context),
      // Where mongosh writes its logs; the image's own choice is the volume.
      { name: 'HOME', value: '/tmp' },
      { name: 'MEMORY_LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
    ],
    // A recovery may take hours. That the server ends is seen without a probe.
    startupProbe: probe(hasStarted, { periodSeconds: 3, timeoutSeconds: 30, failureThreshold: day / 3 }),
    readinessProbe: probe(acceptsClients, { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 }),
    livenessProbe: probe(isAlive, { periodSeconds: 15, timeoutSeconds: 10, failureThreshold: 8 }),
    // On processors that MongoDB does not run on the image says so before the server dies without a word: by its log's end the
    // service's condition says it as well.
    terminationMessagePolicy: 'FallbackToLogsOnError',
  }),
  scratchPaths: ['/tmp', '/data/configdb'],
  uri: mongodbUri,
  process: (version) => mongodbProcess({ version, hasStarted, acceptsClients, isAlive }),
  binding: { prefix: 'DB', variables: ({ database }) => ({ NAME: database }) },
  accounts: mongodbAccounts,
  client: mongosh,
};

/** Whether `version` is of an older release series than `than`, as far as both name one. */
function isOlderSeries(version: string, than: string): boolean {
  const [[major = 0, minor], [otherMajor = 0, otherMinor]] = [version, than].map((text) => text.split('.').map(Number)) as [
    number[],
    number[],
  ];
  if (major !== otherMajor) return major < otherMajor;
  return minor !== undefined && otherMinor !== undefined && minor < otherMinor;
}
