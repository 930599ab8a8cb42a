import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import type { Grant, ServiceAccess } from '../engine.ts';
import type { Account } from './drivers/driver.ts';
import type { RunningService } from './running-service.ts';
import { startWithAccounts, tested } from './tested-accounts.ts';

/** What an account does to keep the administrator from working: for what is found out by waiting, a file of its own beside the accounts. */
const obstructed = tested.flatMap(({ driver, ...rest }) => (driver.obstacles ? [{ ...rest, obstacles: driver.obstacles }] : []));

describe.each(obstructed)('the administrator of $type', ({ engine, accounts, obstacles, startMs }) => {
  let service: RunningService;
  let access: ServiceAccess;
  const theirs: Grant = { database: 'theirs', username: 'theirs', password: 'Victim_0123456789.~' };
  const at = (grant: Grant): Account => ({ ...service.address, ...grant });

  beforeAll(async () => {
    ({ service, access } = await startWithAccounts(engine, startMs));
  });
  afterAll(() => service?.end());

  describe.each(obstacles.map((obstacle, number) => ({ ...obstacle, number })))('despite $name', ({ apply, number }) => {
    const stubborn: Grant = { database: '', username: 'stubborn', password: 'stubborn' };
    const successor: Grant = { ...stubborn, username: 'successor' };
    let times = 0;
    beforeEach(async () => {
      // Some keep the account itself from working there as well.
      stubborn.database = successor.database = `stubborn_${number}_${(times += 1)}`;
      await accounts.grant(access, theirs);
      await accounts.grant(access, stubborn);
      await apply(at(stubborn), at(theirs));
    });
    afterEach(async () => {
      await accounts.revoke(access, stubborn);
      await accounts.revoke(access, successor);
    });

    it('sets the account right', () => accounts.grant(access, stubborn));
    it('hands its part on', () => accounts.grant(access, successor));
    it('removes the account', () => accounts.revoke(access, stubborn));
    it('serves others', async () => {
      await accounts.grant(access, theirs);
      await accounts.verify(access, theirs);
      await accounts.revoke(access, theirs);
    });
  });
});
