import { once } from 'node:events';
import { get } from 'node:http';
import { pods, services } from '@skipper/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployments, endpoints } from '../kinds.ts';
import { isReady, startTestCluster, until, type TestCluster } from '../node/cluster.fixture.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());

const namespace = 'default';
const apps = { rolls: { port: 7310, drainMs: 8_000 }, greedy: { port: 7320, drainMs: 1_000 } };
type App = keyof typeof apps;
/** Answers with its version; serves on for a moment when asked to stop, until those who ask know of it. */
const server = (where: string, drainMs: number): string => `
  const server = require('node:http').createServer((request, response) => response.end(process.env.VERSION));
  server.listen(process.env.PORT, ${where});
  process.on('SIGTERM', () => setTimeout(() => server.close(() => process.exit(0)), ${drainMs}));`;

const template = (name: App, version: string, where: string) => ({
  metadata: { labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 30,
    containers: [
      {
        name: 'app',
        image: 'nobody.example/knows:this',
        command: ['node', '-e', server(where, apps[name].drainMs)],
        env: [{ name: 'VERSION', value: version }],
        ports: [{ containerPort: apps[name].port }],
        readinessProbe: { tcpSocket: { port: apps[name].port }, periodSeconds: 1, timeoutSeconds: 10 },
      },
    ],
  },
});
const create = (name: App, replicas: number, where: string) =>
  cluster.kube.create(deployments, {
    metadata: { name, namespace },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name, 'one', where) },
  });
const change = (name: App, spec: object) => cluster.kube.patch(deployments, name, { spec }, { namespace });
const podsOf = async (name: App) => (await cluster.kube.list(pods, { namespace, labelSelector: `app=${name}` })).items;
const shows = (name: App, version: string, count: number) =>
  until(
    `${name} has ${count} ready pods of version ${version}, and no others`,
    async () => {
      const found = await podsOf(name);
      return found.length === count && found.every((pod) => isReady(pod) && pod.spec!.containers[0]!.env![0]!.value === version);
    },
    180_000,
  );

async function ask(host: string, port: number): Promise<string> {
  const request = get({ host, port, agent: false, timeout: 5_000 });
  const [response] = (await once(request, 'response')) as [AsyncIterable<Buffer>];
  let body = '';
  for await (const chunk of response) body += chunk.toString();
  return body;
}

describe('a Deployment of processes', () => {
  it('that listen on their own address rolls and scales without a refused request', async () => {
    await cluster.kube.create(services, {
      metadata: { name: 'rolls', namespace },
      spec: { selector: { app: 'rolls' }, ports: [{ port: apps.rolls.port }] },
    });
    await create('rolls', 3, 'process.env.HOST');
    await shows('rolls', 'one', 3);
    const addressesNow = async () =>
      ((await cluster.kube.get(endpoints, 'rolls', { namespace })).subsets ?? []).flatMap(({ addresses = [] }) => addresses);
    await until('its service knows them', async () => (await addressesNow()).length === 3);
    const answers = new Map<string, number>();
    const count = (answer: string): void => void answers.set(answer, (answers.get(answer) ?? 0) + 1);
    let asking = true;
    const load = (async () => {
      while (asking) {
        const addresses = await addressesNow();
        const { ip } = addresses[Math.floor(Math.random() * addresses.length)] ?? { ip: 'none' };
        await ask(ip, apps.rolls.port).then(count, (error: Error) => count(error.message));
      }
    })();
    await until('it is asked', () => answers.has('one'));
    await change('rolls', { template: template('rolls', 'two', 'process.env.HOST') });
    await shows('rolls', 'two', 3);
    await change('rolls', { replicas: 1 });
    await shows('rolls', 'two', 1);
    await until('it was asked enough', () => (answers.get('one') ?? 0) + (answers.get('two') ?? 0) > 50);
    asking = false;
    await load;
    expect([...answers.keys()].sort()).toEqual(['one', 'two']);
  }, 600_000);

  it('that listen on all addresses replaces the old pod, for both cannot run at a time', async () => {
    await create('greedy', 1, 'undefined');
    await shows('greedy', 'one', 1);
    await change('greedy', { template: template('greedy', 'two', 'undefined') });
    await shows('greedy', 'two', 1);
    // So does the way back to what listens where it should.
    await change('greedy', { template: template('greedy', 'three', 'process.env.HOST') });
    await shows('greedy', 'three', 1);
    await change('greedy', { template: template('greedy', 'four', 'undefined') });
    await shows('greedy', 'four', 1);
  }, 600_000);
});
