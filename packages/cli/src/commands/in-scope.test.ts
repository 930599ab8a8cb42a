import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deployApp } from './app/deploy.ts';
import { setEnvironment } from './app/env-set.ts';
import { showEnvironment } from './app/env.ts';
import { showApp } from './app/info.ts';
import { listApps } from './app/list.ts';
import { restartApp } from './app/restart.ts';
import { scaleApp } from './app/scale.ts';
import { addService } from './service/add.ts';
import { bindService } from './service/bind.ts';
import { showService } from './service/info.ts';
import { listServices } from './service/list.ts';
import { restartService } from './service/restart.ts';
import { printed, runningService, startTestApi, type TestApi } from './test-api.fixture.ts';
import { explain } from '../explain.ts';

const where = { project: 'shop', environment: 'test' };
const usual = { ...where, output: 'text', wait: false, timeout: 0.2 } as const;
const app = (spec: object) => ({ metadata: { name: 'api', namespace: 'shop-test', generation: 1 }, spec: { image: 'api:1', ...spec } });
let api: TestApi;
beforeEach(async () => {
  api = await startTestApi({ ...runningService('db', 'postgres', 5432), 'apps/api': app({}) });
});
afterEach(() => {
  vi.restoreAllMocks();
  api.close();
});

/** Commands in quotes, in what it says on stderr. */
async function commandsOf(run: Promise<unknown>): Promise<string[]> {
  const { stderr } = printed();
  await run.catch((error: unknown) => explain(error, false));
  return [...stderr().matchAll(/"?(kip [^"\n]*)/g)].map(([, command]) => command!);
}

describe('a command that is named means the same project and environment', () => {
  const flags = '--project shop --environment test';
  it.each<[string, (options: typeof usual & { kubeconfig: string }) => Promise<unknown>, string[]]>([
    ['adding', (options) => addService('redis', { ...options, name: 'cache' }), [`kip service list ${flags}`]],
    ['adding without a name', (options) => addService('redis', options), [`kip service add redis --name myredis ${flags}`]],
    ['adding twice', (options) => addService('postgres', { ...options, name: 'db' }), [`kip service info db ${flags}`]],
    ['binding', (options) => bindService('db', 'api', options), [`kip app info api ${flags}`]],
    ['deploying', (options) => deployApp(['api'], { ...options, replicas: 2 }), [`kip app info api ${flags}`]],
    ['deploying in vain', (options) => deployApp(['api'], { ...options, replicas: 2, wait: true }), [`kip app info api ${flags}`]],
    ['adding in vain', (options) => addService('redis', { ...options, name: 'cache', wait: true }), [`kip service list ${flags}`]],
    [
      'restarting a service in vain',
      (options) => restartService('db', { ...options, force: true, wait: true }),
      [`kip service list ${flags}`],
    ],
    ['restarting an app in vain', (options) => restartApp('api', { ...options, wait: true }), [`kip app info api ${flags}`]],
    ['scaling to nothing', (options) => scaleApp('api', options), [`kip app scale api --replicas 3 ${flags}`]],
    ['setting nothing', (options) => setEnvironment('api', [], options), [`kip app env set api KEY=VALUE ${flags}`]],
    ['no variables', (options) => showEnvironment('api', options), [`kip app env set api KEY=VALUE ${flags}`]],
    ['no app', (options) => showApp('other', options), [`kip app deploy other ${flags}`, 'kip app list --all']],
  ])('%s', async (_what, run, commands) => {
    expect(await commandsOf(run({ ...usual, kubeconfig: api.kubeconfig }))).toEqual(commands);
  });

  it.each<[string, Record<string, object | undefined>, (options: typeof usual & { kubeconfig: string }) => Promise<unknown>, string]>([
    ['no services', { 'statefulservices/db': undefined }, listServices, `kip service add postgres --name mydb ${flags}`],
    ['no apps', { 'apps/api': undefined }, listApps, `kip app deploy api … ${flags}`],
    ['no credentials', { 'secrets/db-credentials': undefined }, (options) => showService('db', options), `kip service list ${flags}`],
    [
      'no replicas',
      { 'apps/api': app({ replicas: 0 }) },
      (options) => restartApp('api', options),
      `kip app scale api --replicas 1 ${flags}`,
    ],
    [
      'a variable that is there',
      { 'apps/api': app({ env: [{ name: 'DB_HOST', value: 'x' }] }) },
      (options) => bindService('db', 'api', options),
      `kip app env unset api DB_HOST ${flags}`,
    ],
  ])('%s', async (_what, objects, run, command) => {
    for (const [path, object] of Object.entries(objects))
      if (object) api.objects[path] = object;
      else delete api.objects[path];
    expect(await commandsOf(run({ ...usual, kubeconfig: api.kubeconfig }))).toEqual([command]);
  });

  it('which is not said where it is the default', async () => {
    const options = { kubeconfig: api.kubeconfig, output: 'text', wait: false, timeout: 1 } as const;
    expect(await commandsOf(addService('redis', { ...options, name: 'cache' }))).toEqual(['kip service list']);
  });
});
