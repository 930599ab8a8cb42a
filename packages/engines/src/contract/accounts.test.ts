import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { administrator, type Grant, type ServiceAccess } from '../engine.ts';
import type { Account } from './drivers/driver.ts';
import { Refused } from './drivers/driver.ts';
import type { RunningService } from './running-service.ts';
import { startWithAccounts, tested } from './tested-accounts.ts';

describe.each(tested)('accounts of $type', ({ engine, accounts, driver, startMs }) => {
  let service: RunningService;
  let access: ServiceAccess;
  // A name that reads as a pattern for the other's.
  const mine: Grant = { database: 'shop_test', username: 'shop_test', password: 'Attacker-0123456789' };
  const theirs: Grant = { database: 'shopatest', username: 'shopatest', password: 'Victim_0123456789.~' };
  const at = (grant: Grant): Account => ({ ...service.address, ...grant });
  const admin = (): Account => ({
    ...service.address,
    username: administrator,
    password: service.password,
    database: engine.database ?? '',
  });

  beforeAll(async () => {
    ({ service, access } = await startWithAccounts(engine, startMs));
  });
  afterAll(() => service?.end());

  describe('names', () => {
    it('takes the name made of app and environment as it is', () => {
      expect(accounts.defaultDatabase('domain_service_test')).toBe('domain_service_test');
      expect(accounts.refusesDatabase('domain_service_test')).toBeUndefined();
    });
    it.each([
      '',
      'A',
      '1a',
      'a-b',
      'a b',
      'a"b',
      'a`b',
      "a'b",
      'a;b',
      'a%',
      'a*',
      'a\n',
      'ä',
      'a'.repeat(64),
      administrator,
      engine.database ?? administrator,
    ])('refuses %j', (name) => expect(accounts.refusesDatabase(name)).toMatch(/^".*\.$/s));
    it('makes an allowed name, and another one for another app, of whatever an app and its environment can be called', () => {
      const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,44}[a-z0-9])?$/);
      const name = fc.oneof(
        fc.tuple(label, label).map((parts) => parts.join('_').replaceAll('-', '_')),
        fc.constantFrom('app', 'postgres', 'mysql', 'sys', 'skipper', 'template1'),
      );
      fc.assert(
        fc.property(name, name, (one, other) => {
          expect(accounts.refusesDatabase(accounts.defaultDatabase(one))).toBeUndefined();
          if (one !== other) expect(accounts.defaultDatabase(one)).not.toBe(accounts.defaultDatabase(other));
        }),
      );
    });
    it('does not touch the administrator', async () => {
      const password = 'changed';
      await expect(accounts.grant(access, { database: 'shop_test', username: administrator, password })).rejects.toThrow('is not an app');
      await expect(accounts.revoke(access, { database: 'shop_test', username: administrator })).rejects.toThrow('is not an app');
      expect(await driver.whoAmI(admin())).toBe(administrator);
    });
  });

  describe('grant', () => {
    it('makes an account that can log in and keep data, and again is the same', async () => {
      await accounts.grant(access, mine);
      await accounts.verify(access, mine);
      await driver.write(at(mine), 'first');
      await accounts.grant(access, mine);
      await accounts.verify(access, mine);
      expect(await driver.read(at(mine))).toBe('first');
    });
    it('resets the password', async () => {
      await accounts.grant(access, { ...mine, password: 'another' });
      await expect(accounts.verify(access, mine)).rejects.toThrow();
      await accounts.verify(access, { ...mine, password: 'another' });
      await accounts.grant(access, mine);
      await accounts.verify(access, mine);
    });
    it('ends the sessions of a password that it replaces, and no others', async () => {
      await accounts.grant(access, mine);
      const ended = await driver.hold(at(mine));
      let lasts = true;
      const end = ended().then(() => (lasts = false));
      await accounts.grant(access, mine);
      await accounts.verify(access, mine);
      expect(lasts).toBe(true);
      await accounts.grant(access, { ...mine, password: 'another' });
      await end;
      await accounts.grant(access, mine);
    });
    it('makes an account that was dropped by hand again, and verify tells of it before', async () => {
      await driver.write(at(mine), 'kept');
      await driver.drop(admin(), at(mine));
      await expect(accounts.verify(access, mine)).rejects.toThrow();
      await accounts.grant(access, mine);
      await accounts.verify(access, mine);
      await driver.write(at(mine), 'kept');
    });
    it('takes the names of long apps and environments', async () => {
      for (const name of [`a_b${'_c'.repeat(30)}`, 'notification_preferences_service_feature_customer_portal_redesign']) {
        const grant = { database: accounts.defaultDatabase(name), username: 'long', password: 'long' };
        await accounts.grant(access, grant);
        await accounts.verify(access, grant);
        await accounts.revoke(access, grant);
      }
    });
    it('goes on where it was cut off', async () => {
      for (const afterMs of [1, 5, 10, 20, 40, 80, 160]) {
        const signal = AbortSignal.any([access.signal, AbortSignal.timeout(afterMs)]);
        await accounts.grant({ ...access, signal }, mine).catch(() => undefined);
        await accounts
          .revoke({ ...access, signal: AbortSignal.any([access.signal, AbortSignal.timeout(afterMs)]) }, mine)
          .catch(() => undefined);
      }
      await accounts.grant(access, mine);
      await accounts.verify(access, mine);
      await driver.write(at(mine), 'after all');
      expect(await driver.read(at(mine))).toBe('after all');
    });
    it('serves many callers at once', async () => {
      await Promise.all([1, 2, 3].flatMap(() => [accounts.grant(access, mine), accounts.grant(access, theirs)]));
      await accounts.verify(access, mine);
      await accounts.verify(access, theirs);
    });
    it(
      'survives a kill of the engine',
      async ({ skip }) => {
        if (!service.restart) return skip();
        await service.restart();
        await accounts.verify(access, mine);
        await accounts.revoke(access, theirs);
        await service.restart();
        await expect(accounts.verify(access, theirs)).rejects.toThrow();
      },
      2 * startMs + 30_000,
    );
    it('hands a database with all its data to another account', async () => {
      await driver.write(at(mine), 'handed on');
      const successor = { ...mine, username: 'successor', password: 'next' };
      await accounts.grant(access, successor);
      await accounts.verify(access, successor);
      expect(await driver.read(at(successor))).toBe('handed on');
      await driver.write(at(successor), 'taken over');
      await accounts.revoke(access, successor);
      await accounts.grant(access, mine);
      expect(await driver.read(at(mine))).toBe('taken over');
    });
  });

  describe('verify', () => {
    it('fails with a wrong password and for accounts that do not exist', async () => {
      await accounts.grant(access, mine);
      await expect(accounts.verify(access, { ...mine, password: 'wrong' })).rejects.toThrow();
      await expect(accounts.verify(access, { ...mine, username: 'nobody' })).rejects.toThrow();
    });
    it('fails for a part that is not its own', async () => {
      await accounts.grant(access, mine);
      await accounts.grant(access, theirs);
      await expect(accounts.verify(access, { ...mine, database: theirs.database })).rejects.toThrow();
    });
    it('says no secret when it fails', async () => {
      const error: unknown = await accounts.verify(access, { ...mine, password: 'unmistakable' }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Error);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('unmistakable');
    });
    it('fails soon when nothing answers', async () => {
      const endpoint = async () => ({ host: '127.0.0.1', port: 1 });
      await expect(accounts.verify({ ...access, endpoint }, mine)).rejects.toThrow(/\S/);
      await expect(accounts.grant({ ...access, endpoint }, mine)).rejects.toThrow(/\S/);
    });
  });

  describe('revoke', () => {
    it('ends the sessions, keeps the data for the next account, and again does nothing', async () => {
      await accounts.grant(access, mine);
      await driver.write(at(mine), 'left behind');
      const ended = await driver.hold(at(mine));
      await accounts.revoke(access, mine);
      await ended();
      await expect(accounts.verify(access, mine)).rejects.toThrow();
      await accounts.revoke(access, mine);
      await accounts.grant(access, mine);
      expect(await driver.read(at(mine))).toBe('left behind');
    });
  });

  describe('isolation', () => {
    const everything = driver.widenings[0];
    const attack = async ({ run }: { run(attacker: Account, victim: Account): Promise<unknown> }) => {
      await run(at(mine), at(theirs)).then(
        () => Promise.reject(new Error('the attack succeeded')),
        (error: unknown) => {
          if (!(error instanceof Refused) && !driver.isRefusal(error)) throw error;
        },
      );
    };
    const setUp = async () => {
      await accounts.grant(access, theirs);
      await driver.write(at(theirs), 'secret');
      await accounts.grant(access, mine);
      await driver.write(at(mine), 'own');
    };

    it.each(driver.attacks)('refuses an account that $name, which succeeds with all rights', async (how) => {
      await setUp();
      await attack(how);
      expect(await driver.read(at(theirs))).toBe('secret');
      await accounts.verify(access, theirs);
      await everything.apply(admin(), at(mine), at(theirs));
      await how.run(at(mine), at(theirs));
    });
    it.each(driver.widenings)('takes $name away again', async ({ apply, opens }) => {
      const opened = driver.attacks.find(({ name }) => name === opens);
      if (!opened) throw new Error(`no attack is called "${opens}"`);
      await setUp();
      await apply(admin(), at(mine), at(theirs));
      await opened.run(at(mine), at(theirs));
      await setUp();
      await attack(opened);
    });
  });

  it('takes every allowed name and password, by URI and by parts', async () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/).filter((candidate) => accounts.refusesDatabase(candidate) === undefined);
    const password = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 1,
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(name, password, async (database, secret) => {
        const grant = { database, username: database, password: secret };
        await accounts.grant(access, grant);
        try {
          await accounts.verify(access, grant);
          expect(await driver.whoAmI(at(grant))).toBe(database);
          expect(await driver.whoAmI(engine.uri(at(grant)))).toBe(database);
        } finally {
          await accounts.revoke(access, grant);
        }
      }),
      {
        numRuns: 8,
        examples: [
          ['a', `:/?#[]@!$&'()*+,;=% "\\<>^\`{|}~`],
          ['select', '%41%'],
          ['z_9', "' OR ''='"],
        ],
        endOnFailure: true,
      },
    );
  });

  it('shows no password in the log, even when everything is logged', async ({ skip }) => {
    if (!service.output || !driver.logEverything) return skip();
    await driver.logEverything(admin());
    await accounts.grant(access, { ...mine, password: 'Unmistakable0123' });
    await accounts.verify(access, { ...mine, password: 'Unmistakable0123' });
    expect(service.output()).toContain(mine.username);
    expect(service.output()).not.toContain('Unmistakable0123');
  });
});
