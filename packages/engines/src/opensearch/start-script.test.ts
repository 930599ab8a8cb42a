import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { opensearch } from './definition.ts';
import { startScript } from './start-script.ts';

// A distribution of the shape of the real one, whose programs write down how they were called.
let root: string;
const home = (): string => join(root, 'home');
const conf = (file: string): string => join(root, 'scratch', 'config', file);
const hash = '$2y$12$abcdefghijklmnopqrstuv0123456789ABCDEFGHIJKLMNOPQRSTU';
const password = 'Secret0123456789';
const record = 'printf "%s\\n" "$(basename "$0") $*" >>"$RECORD"';

async function program(path: string, content: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/bash\n${content}\n`);
  await chmod(path, 0o755);
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'skipper-opensearch-'));
  await program(join(home(), 'bin', 'opensearch'), `${record}; env >"$RECORD.env"`);
  await program(join(home(), 'jdk', 'bin', 'java'), record);
  await program(join(home(), 'jdk', 'bin', 'keytool'), `${record}; echo "$STORE_PASSWORD" >>"$RECORD.store"`);
  await program(
    join(home(), 'plugins', 'opensearch-security', 'tools', 'hash.sh'),
    `${record}; echo "** This tool will be deprecated **"; [ "$OPENSEARCH_PASSWORD" = ${password} ] && echo '${hash}'`,
  );
  for (const [file, content] of Object.entries({
    'opensearch.yml': 'network.host: 0.0.0.0\n',
    'jvm.options':
      '-Xms1g\n9-:-Xlog:gc*:file=logs/gc.log\n-XX:+HeapDumpOnOutOfMemoryError\n-XX:HeapDumpPath=data\n-javaagent:agent/x.jar\n',
    'log4j2.properties': '',
    'opensearch-security/config.yml': 'demo: true\n',
    'opensearch-security/internal_users.yml': 'admin:\n  hash: demo\n',
    'opensearch-security/roles_mapping.yml': 'own_index:\n  users: ["*"]\n',
    'opensearch-security/roles.yml': '_meta:\n  type: roles\n',
  })) {
    await mkdir(join(home(), 'config', file, '..'), { recursive: true });
    await writeFile(join(home(), 'config', file), content);
  }
});
afterEach(() => rm(root, { recursive: true, force: true }));

function start(env: Record<string, string> = {}) {
  const { status, stderr } = spawnSync('/bin/bash', ['-c', startScript], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'] ?? '',
      RECORD: join(root, 'record'),
      OPENSEARCH_HOME: home(),
      OPENSEARCH_DATA: join(root, 'data'),
      OPENSEARCH_SCRATCH: join(root, 'scratch'),
      OPENSEARCH_USERNAME: 'skipper',
      OPENSEARCH_PASSWORD: password,
      MEMORY_LIMIT: String(2 ** 31),
      ...env,
    },
  });
  return { status, stderr };
}
const recorded = (suffix = ''): Promise<string> => readFile(join(root, `record${suffix}`), 'utf8');
const yaml = async (file: string): Promise<Record<string, unknown>> => parse(await readFile(conf(file), 'utf8')) as Record<string, unknown>;

beforeEach(() => mkdir(join(root, 'scratch')));

describe('with security', () => {
  it('has one user, who is the administrator, and no demo users and mappings', async () => {
    expect(start()).toMatchObject({ status: 0 });
    expect(await yaml('opensearch-security/internal_users.yml')).toEqual({
      _meta: { type: 'internalusers', config_version: 2 },
      skipper: { hash, reserved: true },
    });
    expect(await yaml('opensearch-security/roles_mapping.yml')).toEqual({
      _meta: { type: 'rolesmapping', config_version: 2 },
      all_access: { reserved: true, users: ['skipper'] },
    });
    expect(await yaml('opensearch-security/config.yml')).toMatchObject({
      _meta: { type: 'config', config_version: 2 },
      config: { dynamic: { do_not_fail_on_forbidden: false, http: { anonymous_auth_enabled: false } } },
    });
    expect(existsSync(conf('opensearch-security/roles.yml'))).toBe(true);
  });
  it('sets what the plugin needs: the users of its files, and certificates of its own for its transport layer', async () => {
    start();
    const settings = await yaml('opensearch.yml');
    const store = (await recorded('.store')).split('\n')[0];
    expect(store).toMatch(/^[0-9a-f]{32}$/);
    expect(settings).toMatchObject({
      'discovery.type': 'single-node',
      'path.data': join(root, 'data'),
      'http.host': '0.0.0.0',
      'http.port': 9200,
      'transport.host': '127.0.0.1',
      'plugins.security.allow_default_init_securityindex': true,
      'plugins.security.ssl.http.enabled': false,
      'plugins.security.ssl.transport.keystore_filepath': 'node.p12',
      'plugins.security.ssl.transport.truststore_filepath': 'trust.p12',
      'plugins.security.ssl.transport.keystore_password': store,
    });
    expect(settings).not.toHaveProperty('plugins.security.disabled');
    expect(settings).not.toHaveProperty('network.host');
    const tools = (await recorded()).split('\n').filter((line) => line.startsWith('keytool'));
    expect(tools.map((line) => line.split(' ')[1])).toEqual(['-genkeypair', '-exportcert', '-importcert']);
  });
  it('shows no password in arguments, in files, or to the server', async () => {
    start();
    const store = (await recorded('.store')).split('\n')[0]!;
    const calls = await recorded();
    for (const secret of [password, store]) {
      expect(calls).not.toContain(secret);
      expect(await recorded('.env')).not.toContain(secret);
    }
    for (const file of ['opensearch.yml', 'opensearch-security/internal_users.yml'])
      expect(await readFile(conf(file), 'utf8')).not.toContain(password);
  });
  it('does not start without the plugin: it would have no passwords', async () => {
    await rm(join(home(), 'plugins'), { recursive: true });
    const { status, stderr } = start();
    expect(status).toBe(1);
    expect(stderr).toContain('This OpenSearch has no security plugin');
    expect(existsSync(join(root, 'record'))).toBe(false);
  });
  it('does not start without the hash of its password', async () => {
    expect(start({ OPENSEARCH_PASSWORD: 'another' })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('hash of the password') as string,
    });
    expect(await recorded()).not.toMatch(/^opensearch/m);
  });
});

describe('with its security disabled', () => {
  it.each([true, false])('says so, and disables the plugin where there is one (%s)', async (hasPlugin) => {
    if (!hasPlugin) await rm(join(home(), 'plugins'), { recursive: true });
    const { status, stderr } = start({ DISABLE_SECURITY_PLUGIN: 'true' });
    expect(status).toBe(0);
    expect(stderr).toContain('whoever reaches this OpenSearch may do everything');
    const settings = await yaml('opensearch.yml');
    expect(settings['plugins.security.disabled']).toBe(hasPlugin ? true : undefined);
    expect(Object.keys(settings).filter((name) => name.startsWith('plugins.security.ssl'))).toEqual([]);
  });
  it('is disabled by the option of that name alone', () => {
    const env = (options: Record<string, string>) =>
      opensearch.container({ version: '3', credentialsSecret: 's', options }).env?.map(({ name }) => name);
    expect(env({ security: 'disabled' })).toContain('DISABLE_SECURITY_PLUGIN');
    for (const options of [{}, { security: 'enabled' }, { security: '' }] as Record<string, string>[])
      expect(env(options)).not.toContain('DISABLE_SECURITY_PLUGIN');
  });
});

describe('memory', () => {
  it('is half heap', async () => {
    start();
    expect(await recorded('.env')).toContain('-Xms1024m -Xmx1024m');
  });
  it('is too little below 1Gi, and that is said', () => {
    expect(start({ MEMORY_LIMIT: String(2 ** 29) })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('needs a memory limit of at least 1Gi, and has 512Mi') as string,
    });
  });
  it('stays below where the JVM needs longer pointers', async () => {
    start({ MEMORY_LIMIT: String(2 ** 40) });
    expect(await recorded('.env')).toContain('-Xmx30720m');
  });
});

it('writes no logs and dumps beside its programs or on the volume', async () => {
  start();
  expect(await readFile(conf('jvm.options'), 'utf8')).toBe('-Xms1g\n-javaagent:agent/x.jar\n');
  expect(await yaml('opensearch.yml')).toMatchObject({ 'path.logs': join(root, 'scratch', 'logs') });
});
it('starts again over what an earlier start left', () => {
  expect(start().status).toBe(0);
  expect(start().status).toBe(0);
});
it('takes no volume that a newer version wrote', () => {
  expect(opensearch.refusesChange('3', '2')).toMatch(/older 2 cannot open/);
  expect(opensearch.refusesChange('3.2.0', '3.1.0')).toBeTruthy();
  for (const [from, to] of [
    ['2', '3'],
    ['2.19.2', '3'],
    ['3', '3.2'],
    ['3.2', '3'],
    ['3.1.0', '3.2.0'],
  ] as const)
    expect(opensearch.refusesChange(from, to), `${from} to ${to}`).toBeUndefined();
});
