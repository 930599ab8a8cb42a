import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Engine } from '../engine.ts';
import { fromCredentials } from '../environment.ts';
import { majorOf, versionInTag } from '../versions.ts';
import { indexPrefix, opensearchAccounts } from './accounts.ts';
import { opensearchProcess } from './process.ts';
import { acceptsRequests, httpPort, imageHome, isAlive, scratch, startScript } from './start-script.ts';

const repository = 'docker.io/opensearchproject/opensearch';
const supportedMajors = [2, 3];
/** The account `opensearch` of the image. */
const imageUser = 1000;

const probe = (command: string[], timing: Omit<Probe, 'exec'>): Probe => ({ exec: { command }, ...timing });

/** OpenSearch, from its makers' image. https://docs.opensearch.org/latest/install-and-configure/install-opensearch/docker/ */
export const opensearch: Engine = {
  type: 'opensearch',
  title: 'OpenSearch',
  defaultVersion: '3',
  image: (version) => `${repository}:${version}`,
  versionOf: (image) => versionInTag(image, repository, ''),
  refuses: (version) => {
    if (!/^\d{1,2}(\.\d{1,3}){0,2}$/.test(version)) return `"${version}" is not a version of OpenSearch; write for example 3 or 2.19.2.`;
    return supportedMajors.includes(majorOf(version))
      ? undefined
      : `OpenSearch ${version} is not supported; ${supportedMajors.join(' and ')} are.`;
  },
  refusesChange: (from, to) =>
    isOlder(to, from)
      ? `The volume holds data of OpenSearch ${from}, which the older ${to} cannot open; set the version back to ${from}.`
      : undefined,
  ports: [{ name: 'http', port: httpPort }],
  defaultStorage: '5Gi',
  defaultResources: { requests: { cpu: '250m', memory: '1Gi' }, limits: { memory: '2Gi' } },
  dataPath: `${imageHome}/data`,
  terminationGracePeriodSeconds: 120,
  podSecurityContext: { runAsUser: imageUser, runAsGroup: imageUser, fsGroup: imageUser },
  container: (context) => ({
    args: ['bash', '-c', startScript],
    env: [
      fromCredentials('OPENSEARCH_USERNAME', 'username', context),
      fromCredentials('OPENSEARCH_PASSWORD', 'password', context),
      { name: 'MEMORY_LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
      // The image's own names of both: no demo users and certificates, and for whoever asks for it no security at all.
      { name: 'DISABLE_INSTALL_DEMO_CONFIG', value: 'true' },
      ...(context.options?.['security'] === 'disabled' ? [{ name: 'DISABLE_SECURITY_PLUGIN', value: 'true' }] : []),
    ],
    // Ten minutes for the first start on a slow disk, or the recovery of many indices.
    startupProbe: probe(isAlive, { periodSeconds: 2, timeoutSeconds: 10, failureThreshold: 300 }),
    readinessProbe: probe(acceptsRequests, { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 }),
    livenessProbe: probe(isAlive, { periodSeconds: 15, timeoutSeconds: 10, failureThreshold: 8 }),
  }),
  scratchPaths: [scratch],
  uri: ({ host, port, username, password }) => `http://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${port}`,
  process: (version) => opensearchProcess({ version, acceptsRequests, isAlive }),
  binding: { prefix: 'OPENSEARCH', variables: ({ database }) => ({ INDEX_PREFIX: indexPrefix(database) }) },
  accounts: opensearchAccounts,
};

/** As far as both name their parts: `3` is neither older nor newer than `3.2`. */
function isOlder(version: string, than: string): boolean {
  const [left, right] = [version, than].map((each) => each.split('.').map(Number)) as [number[], number[]];
  for (let part = 0; part < Math.min(left.length, right.length); part += 1)
    if (left[part] !== right[part]) return left[part]! < right[part]!;
  return false;
}
