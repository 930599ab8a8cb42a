import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KipError } from '@skipper/api';
import { allows, parsePolicy, type Attempt, type PolicyDocument } from './policy.ts';

/** Who a request comes from. */
export interface Identity {
  accessKey: string;
  isAdministrator: boolean;
}

export interface User {
  accessKey: string;
  secretKey: string;
  enabled: boolean;
  /** Names of policies. Without any the user may do nothing. */
  policies: string[];
}

interface Stored {
  users: Record<string, Omit<User, 'accessKey'>>;
  /** JSON texts, as they were given. */
  policies: Record<string, string>;
}

const everything = (...actions: string[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: ['arn:aws:s3:::*'] }] });

/** Policies that MinIO brings. */
const builtIn: Record<string, string> = {
  readonly: everything('s3:GetBucketLocation', 's3:GetObject'),
  readwrite: everything('s3:*'),
  writeonly: everything('s3:PutObject'),
  consoleAdmin: JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['admin:*'] },
      { Effect: 'Allow', Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] },
    ],
  }),
};

/** The administrator, and users with policies. Every change is on disk, in a file for its owner only, before it is answered. */
export class Identities {
  readonly administrator: Identity;
  readonly #administratorSecret: string;
  readonly #file: string;
  #stored: Stored;
  /** What the texts say; by their names. */
  readonly #documents = new Map<string, PolicyDocument>();
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(file: string, administrator: { accessKey: string; secretKey: string }, stored: Stored) {
    this.#file = file;
    this.administrator = { accessKey: administrator.accessKey, isAdministrator: true };
    this.#administratorSecret = administrator.secretKey;
    this.#stored = stored;
    this.#readDocuments();
  }

  /** @throws KipError `damaged` */
  static async open(folder: string, administrator: { accessKey: string; secretKey: string }): Promise<Identities> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, 'identities.json');
    try {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return '{"users":{},"policies":{}}';
      });
      return new Identities(file, administrator, JSON.parse(text) as Stored);
    } catch (error) {
      throw new KipError('damaged', `The users in ${file} cannot be read: ${(error as Error).message}.`, {
        hint: 'Restore the file from a backup, or move it away to start without users; the objects are kept elsewhere.',
        cause: error,
      });
    }
  }

  /** @returns undefined for an access key that is unknown or disabled. */
  secretOf(accessKey: string): string | undefined {
    if (accessKey === this.administrator.accessKey) return this.#administratorSecret;
    const user = own(this.#stored.users, accessKey);
    return user?.enabled ? user.secretKey : undefined;
  }

  identity(accessKey: string): Identity {
    return accessKey === this.administrator.accessKey ? this.administrator : { accessKey, isAdministrator: false };
  }

  allows(identity: Identity, attempt: Attempt): boolean {
    if (identity.isAdministrator) return true;
    const names = own(this.#stored.users, identity.accessKey)?.policies ?? [];
    const documents = names.map((name) => this.#documents.get(name)).filter((document) => document !== undefined);
    return allows(documents, attempt, identity.accessKey);
  }

  users(): User[] {
    return Object.entries(this.#stored.users).map(([accessKey, user]) => ({ accessKey, ...structuredClone(user) }));
  }

  user(accessKey: string): User | undefined {
    const user = own(this.#stored.users, accessKey);
    return user && { accessKey, ...structuredClone(user) };
  }

  /** Makes a user, or changes what is given of one. A new one needs a secret. @throws Error for keys that cannot be, and for the administrator's */
  async setUser(accessKey: string, change: Partial<Omit<User, 'accessKey'>>): Promise<void> {
    if (accessKey === this.administrator.accessKey) throw new Error('the administrator cannot be changed');
    if (accessKey.length < 3 || accessKey.length > 128 || /[=,\s]|[^\x21-\x7e]/.test(accessKey))
      throw new Error('the access key is not valid');
    await this.#change((stored) => {
      const before = own(stored.users, accessKey) ?? { secretKey: '', enabled: true, policies: [] };
      const after = { ...before, ...change };
      if (after.secretKey.length < 8) throw new Error('the secret key must have at least 8 characters');
      const missing = after.policies.find((name) => this.policy(name) === undefined);
      if (missing !== undefined) throw new Error(`there is no policy ${missing}`);
      stored.users[accessKey] = after;
    });
  }

  /** @returns false when there was no such user */
  async removeUser(accessKey: string): Promise<boolean> {
    return await this.#change((stored) => {
      const existed = own(stored.users, accessKey) !== undefined;
      delete stored.users[accessKey];
      return existed;
    });
  }

  /** Names of all policies, MinIO's own included. */
  policies(): string[] {
    return [...new Set([...Object.keys(builtIn), ...Object.keys(this.#stored.policies)])];
  }

  /** JSON text of a policy. */
  policy(name: string): string | undefined {
    return own(this.#stored.policies, name) ?? own(builtIn, name);
  }

  /** @throws Error when the document is not a policy that is understood here */
  async setPolicy(name: string, document: string): Promise<void> {
    if (name === '' || name === '__proto__' || /[,\s]/.test(name)) throw new Error('the name of the policy is not valid');
    parsePolicy(document);
    await this.#change((stored) => {
      stored.policies[name] = document;
    });
  }

  /** @returns false when there was no such policy. @throws Error while a user has it */
  async removePolicy(name: string): Promise<boolean> {
    return await this.#change((stored) => {
      const user = Object.entries(stored.users).find(([, { policies }]) => policies.includes(name));
      if (user) throw new Error(`the policy ${name} is attached to the user ${user[0]}`);
      const existed = own(stored.policies, name) !== undefined;
      delete stored.policies[name];
      return existed;
    });
  }

  /** One change at a time; nothing is changed when it cannot be kept. */
  #change<Result>(change: (stored: Stored) => Result): Promise<Result> {
    const run = this.#writing.then(async () => {
      const next = structuredClone(this.#stored);
      const result = change(next);
      await replaceFile(this.#file, JSON.stringify(next));
      this.#stored = next;
      this.#readDocuments();
      return result;
    });
    this.#writing = run.catch(() => {});
    return run;
  }

  #readDocuments(): void {
    this.#documents.clear();
    for (const name of this.policies()) this.#documents.set(name, parsePolicy(this.policy(name)!));
  }
}

function own<Value>(record: Record<string, Value>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Old or new, never a half, and durable when it returns. Only one at a time. */
async function replaceFile(file: string, contents: string): Promise<void> {
  const aside = `${file}.new`;
  await rm(aside, { force: true });
  const handle = await open(aside, 'wx', 0o600);
  try {
    await handle.writeFile(contents);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(aside, file);
  const folder = await open(dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}
