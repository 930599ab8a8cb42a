/** Settings of every server besides where it listens and keeps its data, as lines of redis.conf. https://redis.io/docs/latest/operate/oss_and_stack/management/config/ */
const common = ['appendonly yes', 'protected-mode no', 'daemonize no', 'maxmemory-policy noeviction'];

export interface RedisSettings {
  dataFolder: string;
  /** What the clients' addresses are compared with; every address when left out. */
  bind?: string;
  /** SHA-256 of the password in hex: the file holds no secret. */
  passwordHash: string;
  username: string;
  /** Bytes. */
  maxMemory?: number;
}

/** The share of the memory limit that data may take; the rest is for buffers and for the copy that a rewrite of the log makes. */
export const dataShare = 0.75;

/**
 * The content of redis.conf. Clients that send a password alone log in as `default`, so that account has the same password
 * rather than being off.
 */
export function redisConfig({ dataFolder, bind, passwordHash, username, maxMemory }: RedisSettings): string {
  return [
    ...common,
    `dir ${dataFolder}`,
    ...(bind === undefined ? [] : [`bind ${bind}`]),
    ...(maxMemory === undefined ? [] : [`maxmemory ${maxMemory}`]),
    ...['default', username].map((name) => `user ${name} on #${passwordHash} ~* &* +@all`),
    '',
  ].join('\n');
}
