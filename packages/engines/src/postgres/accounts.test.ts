import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProcessPod } from '../contract/process-pod.ts';
import { administrator, type Grant, type ServiceAccess } from '../engine.ts';
import { postgresAccounts as accounts } from './accounts.ts';
import { postgres } from './definition.ts';

describe('accounts of PostgreSQL', () => {
  let pod: ProcessPod;
  let access: ServiceAccess;
  const mine: Grant = { database: 'mine', username: 'mine', password: 'Mine0123456789' };
  const theirs: Grant = { database: 'theirs', username: 'theirs', password: 'Theirs0123456789' };
  const login = ({ username: user, ...rest }: { username: string; password: string; database?: string }) =>
    new pg.Client({ host: pod.ip, port: 5432, user, ...rest });
  const run = async (account: Parameters<typeof login>[0], ...statements: string[]) => {
    const client = login(account);
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };

  beforeAll(async () => {
    pod = await ProcessPod.create(postgres);
    await pod.start();
    access = {
      administrator: { username: administrator, password: pod.password },
      endpoint: async () => ({ host: pod.ip, port: 5432 }),
      signal: AbortSignal.timeout(600_000),
    };
    await accounts.grant(access, mine);
    await accounts.grant(access, theirs);
  });
  afterAll(() => pod?.destroy());

  it("closes what an app opened, to those who are connected as well, when the app's database is another's", async () => {
    const intruder = { ...mine, database: theirs.database };
    const open = () => run(theirs, `GRANT CONNECT, CREATE ON DATABASE theirs TO mine WITH GRANT OPTION`);
    const connected = async () => {
      const client = login(intruder);
      client.on('error', () => undefined);
      const ended = new Promise<void>((resolve) => client.once('end', resolve));
      await client.connect();
      return () => ended;
    };
    await open();
    await accounts.grant(access, theirs);
    let ended = await connected();
    await accounts.grant(access, { ...theirs, username: 'successor' });
    await ended();
    await expect(run(intruder)).rejects.toThrow('permission denied');

    await accounts.grant(access, theirs);
    await open();
    ended = await connected();
    await accounts.revoke(access, theirs);
    await ended();
    await expect(run(intruder)).rejects.toThrow('permission denied');
    await accounts.revoke(access, { ...theirs, username: 'successor' });
    await accounts.grant(access, theirs);
  });

  it('finds at the next check a database that the administrator has made, and closes it', async () => {
    await accounts.verify(access, mine);
    await run({ ...access.administrator, database: 'app' }, 'CREATE DATABASE reports');
    await run(mine, 'CREATE SCHEMA evil', 'CREATE FUNCTION evil.has_database_privilege(oid, text) RETURNS boolean RETURN false');
    await run(mine, 'ALTER DATABASE mine SET search_path = evil, pg_catalog');
    await expect(accounts.verify(access, mine)).rejects.toThrow('"reports"');
    await accounts.grant(access, mine);
    await accounts.verify(access, mine);
  });

  it('leaves to an app whom it lets into its own database', async () => {
    await run(theirs, 'GRANT CONNECT ON DATABASE theirs TO PUBLIC');
    await accounts.verify(access, mine);
  });
});
