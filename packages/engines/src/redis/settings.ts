/** Settings of every server besides where it listens and keeps its data, as lines of redis.conf. https://redis.io/docs/latest/operate/oss_and_stack/management/config/ */
const common = ['appendonly yes', 'protected-mode no', 'daemonize no', 'maxmemory-policy noeviction'];

export interface RedisSettings {
  /** As redis.conf writes paths. */
  dataFolder: string;
  /** The file of accounts, as redis.conf writes paths. */
  accountsFile: string;
  /** What the clients' addresses are compared with; every address when left out. */
  bind?: string;
  /** Bytes. */
  maxMemory?: number;
}

/** The share of the memory limit that data may take; the rest is for buffers and for the copy that a rewrite of the log makes. */
export const dataShare = 0.75;

/** The file of accounts within the data folder. The server itself writes it when an app's account is made. */
export const accountsFile = 'users.acl';

/** The content of redis.conf. */
export function redisConfig({ dataFolder, accountsFile: accounts, bind, maxMemory }: RedisSettings): string {
  return [
    ...common,
    `dir ${dataFolder}`,
    `aclfile ${accounts}`,
    ...(bind === undefined ? [] : [`bind ${bind}`]),
    ...(maxMemory === undefined ? [] : [`maxmemory ${maxMemory}`]),
    '',
  ].join('\n');
}

/**
 * The lines of the file of accounts that are the administrator's and written at each start; the others are the apps' and stay.
 * Clients that send a password alone log in as `default`, so that account has the same password rather than being off.
 * @param passwordHash SHA-256 of the password in hex: the file holds no secret.
 */
export function administratorAccounts(username: string, passwordHash: string): string {
  return administratorNames(username)
    .map((name) => `user ${name} on #${passwordHash} ~* &* +@all\n`)
    .join('');
}

/** How the lines begin that are written at each start. */
export const administratorLines = (username: string): string[] => administratorNames(username).map((name) => `user ${name} `);

const administratorNames = (username: string): string[] => ['default', username];
