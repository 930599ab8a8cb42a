import { describe, expect, it } from 'vitest';
import { mongodb } from './definition.ts';

const container = mongodb.container({ version: '8.0', credentialsSecret: 'db-credentials' });
const connection = { host: 'db.default.svc.cluster.local', port: 27_017, username: 'skipper', password: 'p@ss', database: 'app' };

/** What the image's documentation and Dockerfile say. https://hub.docker.com/_/mongo */
describe('the pod of MongoDB', () => {
  it('takes the image’s entrypoint as it is meant: mongod first, its options after it', () => {
    expect(container.command).toBeUndefined();
    expect(container.args?.[0]).toBe('mongod');
    // The entrypoint adds --auth itself, when both variables are there.
    expect(container.args).toEqual(['mongod', '--bind_ip_all']);
  });
  it('names the first account by the image’s variables, from the Secret', () => {
    const fromSecret = (container.env ?? []).filter(({ valueFrom }) => valueFrom?.secretKeyRef);
    expect(fromSecret.map(({ name, valueFrom }) => [name, valueFrom?.secretKeyRef?.name, valueFrom?.secretKeyRef?.key])).toEqual([
      ['MONGO_INITDB_ROOT_USERNAME', 'db-credentials', 'username'],
      ['MONGO_INITDB_ROOT_PASSWORD', 'db-credentials', 'password'],
    ]);
  });
  it('mounts a volume or a scratch folder wherever the image writes', () => {
    expect(mongodb.dataPath).toBe('/data/db');
    expect(mongodb.scratchPaths).toEqual(expect.arrayContaining(['/data/configdb', '/tmp']));
    expect(container.env).toContainEqual({ name: 'HOME', value: '/tmp' });
  });
  it('runs as the user and group that the image makes', () => {
    expect(mongodb.podSecurityContext).toEqual({ runAsUser: 999, runAsGroup: 999, fsGroup: 999 });
  });
  it('lets the end of the log tell why it does not start, which is where the image says that a processor is too old', () => {
    expect(container.terminationMessagePolicy).toBe('FallbackToLogsOnError');
  });
  it('gives a recovery a day', () => {
    const { periodSeconds = 0, failureThreshold = 0 } = container.startupProbe!;
    expect(periodSeconds * failureThreshold).toBe(24 * 60 * 60);
  });
});

describe('versions of MongoDB', () => {
  it.each(['7', '7.0', '7.0.14', '8', '8.0', '8.2.1'])('take %s', (version) => expect(mongodb.refuses(version)).toBeUndefined());
  it.each(['6.0', '9', '8.0-noble', 'nightly'])('refuse %s', (version) => expect(mongodb.refuses(version)).toBeTruthy());
  it.each([
    ['7.0', '8.0', true],
    ['8.0', '8.2', true],
    ['8.0.4', '8.0.1', true],
    ['8.0', '7.0', false],
    ['8.2', '8.0', false],
  ])('change from %s to %s: %s', (from, to, possible) => expect(mongodb.refusesChange(from, to) === undefined).toBe(possible));
  it('are read from image references without a variant', () => {
    expect(mongodb.versionOf('docker.io/library/mongo:8.0')).toBe('8.0');
    expect(mongodb.versionOf('mongo:8.0')).toBe('8.0');
  });
});

describe('addresses of MongoDB', () => {
  it('name the database that the account was made in', () => {
    expect(mongodb.uri(connection)).toBe('mongodb://skipper:p%40ss@db.default.svc.cluster.local:27017/app?authSource=admin');
    expect(mongodb.uri({ ...connection, username: 'api-db', database: 'api_test' })).toBe(
      'mongodb://api-db:p%40ss@db.default.svc.cluster.local:27017/api_test?authSource=api_test',
    );
  });
  it('stand in no argument of the shell', () => {
    const { args, env } = mongodb.client!.command('mongosh', connection);
    expect(args.join(' ')).not.toContain('p%40ss');
    expect(Object.values(env)).toEqual([mongodb.uri(connection)]);
  });
});
