import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Engine } from '../engine.ts';
import { fromCredentials } from '../environment.ts';
import { majorOf, versionInTag } from '../versions.ts';
import { rabbitmqAccounts } from './accounts.ts';
import { rabbitmqProcess } from './process.ts';
import { amqpPort, managementPort, nodeName } from './settings.ts';
import { acceptsClients, home, isAlive, startScript } from './start-script.ts';

const repository = 'docker.io/library/rabbitmq';
const variant = '-management-alpine';
const supportedMajor = 4;
/** The account `rabbitmq` of the Alpine image. */
const imageUser = 100;
const imageGroup = 101;

const probe = (command: string[], timing: Omit<Probe, 'exec'>): Probe => ({ exec: { command }, ...timing });

/** RabbitMQ, from the Docker official image. https://github.com/docker-library/docs/tree/master/rabbitmq */
export const rabbitmq: Engine = {
  type: 'rabbitmq',
  title: 'RabbitMQ',
  defaultVersion: '4',
  image: (version) => `${repository}:${version}${variant}`,
  versionOf: (image) => versionInTag(image, repository, variant),
  refuses: (version) => {
    if (!/^\d{1,2}(\.\d{1,3}){0,2}$/.test(version)) return `"${version}" is not a version of RabbitMQ; write for example 4 or 4.1.`;
    return majorOf(version) === supportedMajor ? undefined : `RabbitMQ ${version} is not supported; ${supportedMajor} is.`;
  },
  refusesChange: (from, to) => {
    const [older, newer] = [minorOf(from), minorOf(to)];
    return older === undefined || newer === undefined || newer >= older
      ? undefined
      : `The volume holds data of RabbitMQ ${from}, which the older ${to} cannot open; set the version back to ${from}.`;
  },
  ports: [
    { name: 'amqp', port: amqpPort },
    { name: 'management', port: managementPort },
  ],
  defaultStorage: '1Gi',
  defaultResources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
  dataPath: '/var/lib/rabbitmq',
  terminationGracePeriodSeconds: 120,
  podSecurityContext: { runAsUser: imageUser, runAsGroup: imageGroup, fsGroup: imageGroup },
  container: (context) => ({
    args: ['bash', '-c', startScript],
    env: [
      // The names by which the image's own tools find the node.
      { name: 'HOME', value: home },
      { name: 'RABBITMQ_NODENAME', value: nodeName },
      fromCredentials('RABBITMQ_DEFAULT_USER', 'username', context),
      fromCredentials('RABBITMQ_DEFAULT_PASS', 'password', context),
      { name: 'MEMORY_LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
    ],
    // The Erlang node is up within seconds, and from then on it may recover queues for as long as it takes.
    startupProbe: probe(isAlive, { periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 300 }),
    readinessProbe: probe(acceptsClients, { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 }),
    livenessProbe: probe(isAlive, { periodSeconds: 15, timeoutSeconds: 10, failureThreshold: 6 }),
  }),
  scratchPaths: [home],
  uri: ({ host, port, username, password, database }) =>
    `amqp://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${port}/${encodeURIComponent(database ?? '/')}`,
  details: ({ host }) => [{ label: 'Management', value: `http://${host}:${managementPort}` }],
  process: () => rabbitmqProcess({ acceptsClients, isAlive }),
  binding: { prefix: 'AMQP', variables: ({ database }) => ({ VHOST: database }) },
  accounts: rabbitmqAccounts,
};

/** `undefined` for a version that names the major alone. */
function minorOf(version: string): number | undefined {
  const minor = version.split('.')[1];
  return minor === undefined ? undefined : Number(minor);
}
