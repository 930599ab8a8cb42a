import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Connection, Engine } from '../engine.ts';
import { fromCredentials } from '../environment.ts';
import { versionInTag } from '../versions.ts';
import { minioAccounts } from './accounts.ts';
import { minioProcess } from './process.ts';

/** The makers' two; the first is taken. */
const repositories = ['quay.io/minio/minio', 'docker.io/minio/minio'] as const;
const port = 9000;
const consolePort = 9001;
/** The image has no account of its own but root. */
const imageUser = 1000;
/** Since then data is kept in one format, and the console brings nothing that must be configured. */
const oldest = 'RELEASE.2023-01-02T09-40-09Z';
const region = 'us-east-1';
/** `-cpuv1`: built for processors without newer instructions. */
const release = /^RELEASE\.\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z(-cpuv1)?$/;

/** https://docs.min.io/community/minio-object-store/operations/monitoring/healthcheck-probe.html */
const probe = (path: string, timing: Omit<Probe, 'httpGet'>): Probe => ({
  httpGet: { path: `/minio/health/${path}`, port: 's3' },
  ...timing,
});

const origin = ({ host }: Connection, at: number): string => `http://${host}:${at}`;

/** MinIO, from its makers' image. https://github.com/minio/minio */
export const minio: Engine = {
  type: 'minio',
  title: 'MinIO',
  defaultVersion: 'RELEASE.2025-09-07T16-13-09Z',
  image: (version) => `${repositories[0]}:${version}`,
  versionOf: (image) => repositories.map((repository) => versionInTag(image, repository, '')).find((version) => version !== undefined),
  refuses: (version) => {
    if (!release.test(version))
      return `"${version}" is not a version of MinIO; write its release, for example RELEASE.2025-09-07T16-13-09Z.`;
    return version < oldest ? `MinIO ${version} is not supported; ${oldest} and newer are.` : undefined;
  },
  refusesChange: (from, to) =>
    // The releases' names sort by time.
    to.slice(0, oldest.length) >= from.slice(0, oldest.length)
      ? undefined
      : `The volume holds data of MinIO ${from}, which the older ${to} may not read; set the version back to ${from}.`,
  ports: [
    { name: 's3', port },
    { name: 'console', port: consolePort },
  ],
  defaultStorage: '10Gi',
  defaultResources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
  dataPath: '/data',
  terminationGracePeriodSeconds: 60,
  podSecurityContext: { runAsUser: imageUser, runAsGroup: imageUser, fsGroup: imageUser },
  container: (context) => ({
    args: ['server', '--address', `:${port}`, '--console-address', `:${consolePort}`, '--certs-dir', '/tmp/certs', '/data'],
    env: [
      fromCredentials('MINIO_ROOT_USER', 'username', context),
      fromCredentials('MINIO_ROOT_PASSWORD', 'password', context),
      { name: 'MINIO_BROWSER', value: 'on' },
      // A service asks nobody on the internet whether there is a newer release.
      { name: 'MINIO_UPDATE', value: 'off' },
      // The root file system is read-only.
      { name: 'HOME', value: '/tmp' },
    ],
    startupProbe: probe('live', { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 300 }),
    // `ready` succeeds before anything can be stored; `cluster` when the drive and the users have been read.
    readinessProbe: probe('cluster', { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 }),
    livenessProbe: probe('live', { periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 }),
  }),
  scratchPaths: ['/tmp'],
  uri: ({ host, port: actualPort, username, password, database }) =>
    `http://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${actualPort}${database === undefined ? '' : `/${encodeURIComponent(database)}`}`,
  details: (connection) => [
    { label: 'Endpoint', value: origin(connection, connection.port) },
    { label: 'Console', value: origin(connection, consolePort) },
  ],
  process: (_version, host) => minioProcess(host),
  binding: {
    prefix: 'S3',
    variables: (connection) => ({ ENDPOINT: origin(connection, connection.port), BUCKET: connection.database, REGION: region }),
  },
  accounts: minioAccounts,
};
