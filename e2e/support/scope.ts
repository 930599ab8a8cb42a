import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { apps, namespaces, statefulServices } from '@skipper/api';
import { deleteWithData } from './delete-service.ts';
import { openCluster, type Ended, type TestCluster } from './kip.ts';
import { until } from './until.ts';

/** A project of a suite's own on the test cluster, and what is made in it. */
export interface TestProject {
  readonly cluster: TestCluster;
  readonly name: string;
  namespace(environment?: string): string;
  /** The options that name it. */
  flags(environment?: string): string[];
  /** Runs kip, which must succeed. */
  succeed(...args: string[]): Promise<Ended>;
  /** Runs kip, which must fail. */
  fail(code: number, ...args: string[]): Promise<Ended>;
  close(): Promise<void>;
}

export async function openProject(): Promise<TestProject> {
  const cluster = await openCluster();
  const name = `e2e-${randomBytes(3).toString('hex')}`;
  const used = new Set<string>();
  const namespace = (environment?: string): string => (environment === undefined ? name : `${name}-${environment}`);
  const run = async (code: number, args: string[]): Promise<Ended> => {
    const ended = await cluster.kip(...args);
    expect(ended, `kip ${args.join(' ')}`).toMatchObject({ code });
    return ended;
  };
  return {
    cluster,
    name,
    namespace,
    flags(environment) {
      used.add(namespace(environment));
      return ['--project', name, ...(environment === undefined ? [] : ['--environment', environment])];
    },
    succeed: (...args) => run(0, args),
    fail: (code, ...args) => run(code, args),
    async close() {
      for (const each of used) await empty(cluster, each);
      await cluster.close();
    },
  };
}

async function empty({ client }: TestCluster, namespace: string): Promise<void> {
  if (!(await client.find(namespaces, namespace))) return;
  for (const { metadata } of (await client.list(apps, { namespace })).items) await client.delete(apps, metadata!.name!, { namespace });
  for (const { metadata } of (await client.list(statefulServices, { namespace })).items) {
    await deleteWithData(client, metadata!.name!, namespace);
  }
  const isEmpty = async (): Promise<boolean> =>
    (await client.list(apps, { namespace })).items.length + (await client.list(statefulServices, { namespace })).items.length === 0;
  await until(`everything in ${namespace} is gone`, isEmpty);
  await client.delete(namespaces, namespace);
}
