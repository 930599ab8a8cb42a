import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apps, serviceTypes, type ServiceType } from '@skipper/api';
import { ask, testApp, type TestApp } from './support/app.ts';
import type { Background } from './support/kip.ts';
import { openProject, type TestProject } from './support/scope.ts';
import { stores } from './support/stores/index.ts';
import type { Place, Store } from './support/stores/store.ts';
import { until } from './support/until.ts';

/** What the embedded cluster can run here; a real one runs all, OpenSearch in a suite of its own below. */
const embeddedTypes: ServiceType[] = ['postgres', 'mysql', 'redis', 'rabbitmq', 'minio'];
/**
 * What stands in for an engine on a test cluster and says nothing of its rights: MongoDB's roles are accepted and not enforced.
 * That an app uses an account of its own is shown there, and not that it is kept to it.
 */
const withoutRights: ServiceType[] = ['mongodb'];
/** What the embedded cluster runs for want of the engine itself. */
const standIns: Partial<Record<ServiceType, string>> = { mysql: 'MariaDB', minio: "Skipper's own S3 server" };
/** What people open a service with, what they ask in it, and what it says then. */
const ownClients: Partial<Record<ServiceType, { programs: string[]; input: string; answer: RegExp }>> = {
  postgres: { programs: ['psql'], input: 'SELECT current_user, current_database();', answer: /skipper +\| +app/ },
  mysql: { programs: ['mysql', 'mariadb'], input: 'SELECT current_user(), database();', answer: /skipper@%\tapp/ },
  mongodb: { programs: ['mongosh'], input: 'db.getName(); db.runCommand({ connectionStatus: 1 }).authInfo', answer: /app[^]*skipper/ },
  redis: { programs: ['redis-cli'], input: 'ACL WHOAMI', answer: /skipper/ },
};
const isInstalled = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
const environment = 'test';
const types = process.env['KUBECONFIG'] ? serviceTypes.filter((type) => type !== 'opensearch') : embeddedTypes;

let project: TestProject;

beforeAll(async () => {
  project = await openProject();
});

afterAll(() => project?.close());

async function deploy(program: TestApp, name: string, ...more: string[]): Promise<void> {
  const ended = await project.cluster.kipIn(
    program.folder,
    'app',
    'deploy',
    name,
    ...program.flags,
    ...project.flags(environment),
    ...more,
  );
  expect(ended, `kip app deploy ${name}`).toMatchObject({ code: 0 });
}

const see = <T>(app: string, path: string, body?: string): Promise<T> =>
  ask<T>(project.cluster, project.namespace(environment), app, path, body);

async function infoOf(service: string): Promise<Place & { uri: string }> {
  return JSON.parse((await project.succeed('service', 'info', service, ...project.flags(environment), '-o', 'json')).stdout) as Place & {
    uri: string;
  };
}

/** `work` with the administrator's login, through `kip tunnel`. */
async function asAdministrator<T>(service: string, work: (place: Place) => Promise<T>): Promise<T> {
  const details = await infoOf(service);
  const tunnel: Background = await project.cluster.background(
    /Press Ctrl\+C to close/,
    'tunnel',
    service,
    ...project.flags(environment),
    '--local-port',
    '0',
  );
  try {
    return await work({ ...details, host: '127.0.0.1', port: Number(/localhost:(\d+)/.exec(tunnel.output())![1]) });
  } finally {
    expect(await tunnel.interrupt()).toBe(0);
  }
}

describe.each(types)('%s', (type) => {
  const service = `my-${type}`;
  const app = `uses-${type}`;
  let store: Store;
  let program: TestApp;
  let part = '';

  beforeAll(async () => {
    ({ store } = await stores[type]());
    program = await testApp(project.cluster, [type]);
  });

  afterAll(() => program?.close());

  it('is added and takes a client of its own, as the administrator', async () => {
    const { stdout } = await project.succeed('service', 'add', type, '--name', service, ...project.flags(environment));
    expect(stdout).toContain(`  Host:     ${service}.${project.namespace(environment)}.svc.cluster.local\n`);
    expect(stdout).toContain('  Username: skipper\n');
    const text = `the administrator's ${Date.now()}`;
    const read = await asAdministrator(service, async (place) => {
      const own = { ...place, database: store.administratorsPart };
      await store.write(own, text);
      return store.read(own);
    });
    expect(read).toBe(text);
  });

  it('says what runs, where it is another program than the name tells', async () => {
    const { stderr } = await project.succeed('service', 'info', service, ...project.flags(environment));
    const program = project.cluster.embedded ? standIns[type] : undefined;
    expect(stderr).toBe(program ? `  On this cluster ${program} stands in for ${type}; see docs/engines/${type}.md.\n` : '');
    expect(await infoOf(service)).toMatchObject({ status: 'running', ...(program ? { program } : {}) });
  });

  it("is opened by the engine's own client, as the administrator", async ({ skip }) => {
    const own = ownClients[type];
    if (!own) return skip('people open it with a browser or a library');
    skip(!own.programs.some(isInstalled), `no ${own.programs.join(' or ')} is installed`);
    const opened = await project.cluster.kipFed(own.input, 'service', 'connect', service, ...project.flags(environment));
    expect(opened).toMatchObject({ code: 0, stdout: expect.stringMatching(own.answer) });
  });

  it('is bound to an app, which restarts with the variables and keeps data of its own', async () => {
    await deploy(program, app);
    const before = await see<{ started: number }>(app, '/');
    const { stdout, stderr } = await project.succeed('service', 'bind', service, app, ...project.flags(environment));
    for (const name of ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'URL', store.part])
      expect(stdout).toMatch(new RegExp(`^ {2}${store.prefix}_${name} +\\*+$`, 'm'));
    expect(stderr).toContain('Next:');
    expect((await see<{ started: number }>(app, '/')).started).toBeGreaterThan(before.started);
    const names = await see<string[]>(app, '/variables');
    expect(names).toEqual(expect.arrayContaining([`${store.prefix}_HOST`, `${store.prefix}_URL`, `${store.prefix}_${store.part}`]));
    const text = `the app's ${Date.now()}`;
    await see(app, `/write?type=${type}`, text);
    expect(await see(app, `/read?type=${type}`)).toBe(text);
  });

  it('has another account for the app than for the administrator', async () => {
    const { stdout } = await project.succeed('app', 'env', app, '--reveal', ...project.flags(environment), '-o', 'json');
    const variables = Object.fromEntries((JSON.parse(stdout) as { name: string; value: string }[]).map(({ name, value }) => [name, value]));
    const details = await infoOf(service);
    expect(variables[`${store.prefix}_HOST`]).toBe(details.host);
    expect(variables[`${store.prefix}_USERNAME`]).not.toBe('skipper');
    expect(variables[`${store.prefix}_PASSWORD`]).not.toBe(details.password);
    part = variables[`${store.prefix}_${store.part}`]!;
    expect(part).toMatch(new RegExp(`uses.${type}.${environment}`));
    const shown = JSON.parse((await project.succeed('app', 'info', app, ...project.flags(environment), '-o', 'json')).stdout);
    expect(shown.bindings).toMatchObject([{ service, ready: true, username: variables[`${store.prefix}_USERNAME`] }]);
  });

  it('lets the app into no data but its own', async ({ skip }) => {
    skip(!project.cluster.embedded && withoutRights.includes(type), 'what stands in for this engine enforces no rights');
    await expect(see(app, `/read-at?type=${type}&database=${encodeURIComponent(store.administratorsPart)}`)).rejects.toThrow(
      /answered 500/,
    );
  });

  it('is not bound again, and says so', async () => {
    const before = await see<{ started: number }>(app, '/');
    expect((await project.succeed('service', 'bind', service, app, ...project.flags(environment))).stderr).toContain('already');
    expect((await see<{ started: number }>(app, '/')).started).toBe(before.started);
  });

  it('is unbound: the app restarts without the variables, and the data stays', async () => {
    const text = await see<string>(app, `/read?type=${type}`);
    const before = await see<{ started: number }>(app, '/');
    await project.succeed('service', 'unbind', service, app, ...project.flags(environment));
    expect((await see<{ started: number }>(app, '/')).started).toBeGreaterThan(before.started);
    expect((await see<string[]>(app, '/variables')).filter((name) => name.startsWith(`${store.prefix}_`))).toEqual([]);
    expect(await asAdministrator(service, (place) => store.read({ ...place, database: part }))).toBe(text);
    expect((await project.fail(1, 'service', 'unbind', service, app, ...project.flags(environment))).stderr).toContain('not bound');
  });

  it('gives the app its data back when it is bound again, and is unbound by its end', async () => {
    await project.succeed('service', 'bind', service, app, ...project.flags(environment));
    expect(await see<string>(app, `/read?type=${type}`)).toMatch(/^the app's/);
    const refused = await project.fail(1, 'service', 'delete', service, ...project.flags(environment));
    expect(refused.stderr).toContain(`"${app}"`);
    const deleted = await project.succeed('service', 'delete', service, '--delete-data', ...project.flags(environment));
    expect(deleted.stderr).toContain(`"${app}"`);
    const { spec } = await project.cluster.client.get(apps, app, { namespace: project.namespace(environment) });
    expect(spec.bindings ?? []).toEqual([]);
    await project.succeed('app', 'delete', app, ...project.flags(environment));
  });
});

/** With its security off, by the documented annotation: a distribution without the security plugin is what test clusters have. */
describe.runIf(process.env['KUBECONFIG'])('opensearch without its security plugin', () => {
  const scope = (): string[] => project.flags(environment);
  const manifest = (annotations: object): string =>
    JSON.stringify({
      apiVersion: 'skipper.dev/v1alpha1',
      kind: 'StatefulService',
      metadata: { name: 'search', annotations },
      spec: { type: 'opensearch' },
    });
  let program: TestApp;
  beforeAll(async () => {
    program = await testApp(project.cluster, ['opensearch']);
  });
  afterAll(() => program?.close());

  it('does not run unless that is asked for, and says why', async () => {
    await project.succeed('service', 'add', 'opensearch', '--name', 'search', '--no-wait', ...scope());
    await until('it says why', async () =>
      (await project.succeed('service', 'list', ...scope(), '-o', 'json')).stdout.includes('This OpenSearch has no security plugin'),
    );
  });

  it('takes a client of its own when it is', async () => {
    const file = join(program.folder, 'search.json');
    await writeFile(file, manifest({ 'skipper.dev/opensearch-security': 'disabled' }));
    await project.succeed('apply', '-f', file, ...scope());
    const { store } = await stores.opensearch();
    // Its pod of before, which was refused, may still be about to go.
    const read = await until('it is written and read', () =>
      asAdministrator('search', async (place) => {
        const own = { ...place, database: store.administratorsPart };
        await store.write(own, 'a document');
        return store.read(own);
      }),
    );
    expect(read).toBe('a document');
  });

  it('has no accounts for apps, and says so', async () => {
    await deploy(program, 'searcher');
    const { stderr } = await project.fail(1, 'service', 'bind', 'search', 'searcher', ...scope());
    expect(stderr).toMatch(/will not get there by itself.*so it has no accounts/s);
    await project.succeed('service', 'unbind', 'search', 'searcher', ...scope());
    await project.succeed('service', 'delete', 'search', '--delete-data', ...scope());
    await project.succeed('app', 'delete', 'searcher', ...scope());
  });
});

describe('two apps of one postgres', () => {
  let program: TestApp;
  beforeAll(async () => {
    program = await testApp(project.cluster, ['postgres']);
    await project.succeed('service', 'add', 'postgres', '--name', 'db', ...project.flags(environment), '--storage', '1Gi');
    for (const name of ['domain-service', 'identity-service']) {
      await deploy(program, name);
      await project.succeed('service', 'bind', 'db', name, ...project.flags(environment));
      await see(name, '/write?type=postgres', name);
    }
  });
  afterAll(() => program?.close());

  it('have databases by the names of the page', async () => {
    const { stdout } = await project.succeed('app', 'info', 'domain-service', ...project.flags(environment));
    expect(stdout).toMatch(/db +domain_service_test +\S+ +ready/);
  });

  it('reach their own and not each other', async () => {
    expect(await see('domain-service', '/read-at?type=postgres&database=domain_service_test')).toBe('domain-service');
    expect(await see('identity-service', '/read-at?type=postgres&database=identity_service_test')).toBe('identity-service');
    const refused = /answered 500.*permission denied for database/;
    await expect(see('identity-service', '/read-at?type=postgres&database=domain_service_test')).rejects.toThrow(refused);
    await expect(see('domain-service', '/read-at?type=postgres&database=identity_service_test')).rejects.toThrow(refused);
  });

  it('are refused variables of the same name, which --prefix makes others', async () => {
    const namespace = project.namespace(environment);
    await project.succeed('service', 'add', 'postgres', '--name', 'reports', ...project.flags(environment), '--storage', '1Gi');
    const refused = await project.fail(1, 'service', 'bind', 'reports', 'domain-service', ...project.flags(environment));
    expect(refused.stderr).toMatch(/DB_HOST.*"db".*--prefix/s);
    expect((await project.cluster.client.get(apps, 'domain-service', { namespace })).spec.bindings).toEqual([{ service: 'db' }]);
    const more = ['--prefix', 'REPORTS', '--database', 'reporting', ...project.flags(environment)];
    const { stdout } = await project.succeed('service', 'bind', 'reports', 'domain-service', ...more, '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      app: 'domain-service',
      service: 'reports',
      variables: expect.arrayContaining(['REPORTS_HOST', 'REPORTS_NAME']),
    });
    expect(await see<string[]>('domain-service', '/variables')).toEqual(expect.arrayContaining(['DB_HOST', 'REPORTS_HOST']));
  });

  it('live in Git: what is exported makes the same in another environment', async () => {
    const { stdout } = await project.succeed('export', ...project.flags(environment));
    expect(stdout).not.toMatch(/PASSWORD|uid|resourceVersion|status:|namespace:/);
    expect((await project.succeed('export', ...project.flags(environment))).stdout).toBe(stdout);
    const file = join(program.folder, 'shop.yaml');
    await writeFile(file, stdout);
    const unchanged = await project.succeed('apply', '-f', file, ...project.flags(environment));
    expect(
      unchanged.stdout
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/)),
    ).toEqual([
      ['service/db', 'unchanged'],
      ['service/reports', 'unchanged'],
      ['app/domain-service', 'unchanged'],
      ['app/identity-service', 'unchanged'],
    ]);
    const dry = await project.succeed('apply', '-f', file, '--dry-run', ...project.flags('acc'));
    expect(dry.stdout.match(/created \(dry run\)/g)).toHaveLength(4);
    await project.succeed('apply', '-f', file, ...project.flags('acc'));
    expect((await project.succeed('export', ...project.flags('acc'))).stdout).toBe(stdout);
    expect(await ask(project.cluster, project.namespace('acc'), 'identity-service', '/write?type=postgres', 'acc')).toBe(null);
    expect((await project.succeed('app', 'info', 'domain-service', ...project.flags('acc'))).stdout).toContain('domain_service_acc');
    await writeFile(file, stdout.replace(/ {2}bindings:\n(?: {4}.*\n)+/, ''));
    const dropped = await project.succeed('apply', '-f', file, ...project.flags('acc'));
    expect(dropped.stdout).toMatch(/app\/domain-service +changed: spec\.bindings\n/);
  });
});

describe('what is wrong with a binding', () => {
  it.each([
    ['no service of that name', 1, ['service', 'bind', 'nothing', 'nobody'], /no service "nothing"/],
    ['no app of that name', 1, ['service', 'bind', 'db', 'nobody'], /no app "nobody".*kip app deploy/s],
    ['a prefix that is none', 2, ['service', 'bind', 'db', 'domain-service', '--prefix', 'my-db'], /--prefix "my-db"/],
    ["a database that is the engine's own", 2, ['service', 'bind', 'db', 'domain-service', '--database', 'postgres'], /postgres/],
    ['two words for one thing', 2, ['service', 'bind', 'db', 'domain-service', '--database', 'a', '--vhost', 'b'], /--vhost/],
    ['a virtual host where there is none', 2, ['service', 'bind', 'db', 'domain-service', '--vhost', 'b'], /virtual host/],
    ['a service that is no name', 2, ['service', 'bind', 'My_DB', 'domain-service'], /My_DB/],
    ['an app that is no name', 2, ['service', 'bind', 'db', 'My_App'], /My_App/],
    ['one argument', 2, ['service', 'bind', 'db'], /app/],
    ['a binding that is not there', 1, ['service', 'unbind', 'cache', 'identity-service'], /bound to "db"/],
  ])('is said: %s', async (_what, code, args, message) => {
    const { stderr, stdout } = await project.fail(code, ...args, ...project.flags(environment));
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
  });

  it('is offered right by completion', async () => {
    // A shell waits no longer than two seconds for its suggestions, and gets none where the cluster is slower.
    const completed = (...words: string[]): Promise<string[]> =>
      until('something is offered', async () => {
        const { stdout } = await project.succeed('complete', '--', ...words);
        const lines = stdout.split('\n').map((line) => line.split('\t')[0]!);
        return lines.some(Boolean) && lines.filter(Boolean);
      });
    const scope = project.flags(environment);
    expect(await completed('service', 'bind', ...scope, '')).toEqual(['db', 'reports']);
    expect(await completed('service', 'bind', ...scope, 'db', '')).toEqual(['domain-service', 'identity-service']);
    expect(await completed('app', 'logs', ...scope, 'dom')).toEqual(['domain-service']);
    expect(await completed('service', 'add', 'my')).toEqual(['mysql']);
  });
});
