import { createHash, randomBytes } from 'node:crypto';

/** The same on every machine and after every restart: RabbitMQ's data belongs to a node of this name. */
export const nodeName = 'rabbit@localhost';
export const amqpPort = 5672;
export const managementPort = 15_672;
/** Where nodes and tools reach a node; it is bound to the loopback interface alone. */
export const distributionPort = 25_672;

/** The content of the file `enabled_plugins`. */
export const enabledPlugins = '[rabbitmq_management].\n';

/**
 * The share of the memory limit from which publishers are held back; the rest is for what the runtime takes beside, for example while it collects garbage.
 * https://www.rabbitmq.com/docs/memory
 */
export const memoryShare = 0.6;
/** Bytes. The default of 50 MB is what a busy broker writes within one check. https://www.rabbitmq.com/docs/disk-alarms */
const freeDisk = 128 << 20;

export interface RabbitmqSettings {
  /** The address to listen on; every one when left out. */
  bind?: string;
  /** File with what {@link definitions} returns. */
  definitionsFile: string;
  /** Bytes, as numbers or as the shell computes them. */
  memory?: { limit: string; watermark: string };
}

/** The content of rabbitmq.conf. https://www.rabbitmq.com/docs/configure */
export function rabbitmqConfig({ bind, definitionsFile, memory }: RabbitmqSettings): string {
  return [
    `listeners.tcp.1 = ${bind === undefined ? '' : `${bind}:`}${amqpPort}`,
    ...(bind === undefined ? [] : [`management.tcp.ip = ${bind}`]),
    `management.tcp.port = ${managementPort}`,
    // Read at every start, before the first client is let in: the administrator is there however the first start ended.
    `load_definitions = ${definitionsFile}`,
    'log.console = true',
    // Otherwise each connection makes three lines, those of the probes too.
    'log.connection.level = error',
    `disk_free_limit.absolute = ${freeDisk}`,
    ...(memory === undefined
      ? []
      : [`total_memory_available_override_value = ${memory.limit}`, `vm_memory_high_watermark.absolute = ${memory.watermark}`]),
    '',
  ].join('\n');
}

/** The administrator and the virtual host that is there from the start, as a file that RabbitMQ imports. https://www.rabbitmq.com/docs/definitions */
export function definitions(username: string, passwordHash: string): string {
  const rights = { configure: '.*', write: '.*', read: '.*' };
  return JSON.stringify({
    users: [
      {
        name: username,
        password_hash: passwordHash,
        hashing_algorithm: 'rabbit_password_hashing_sha256',
        tags: 'administrator',
        limits: {},
      },
    ],
    vhosts: [{ name: '/' }],
    permissions: [{ user: username, vhost: '/', ...rights }],
  });
}

/** https://www.rabbitmq.com/docs/passwords#computing-password-hash */
export function hashPassword(password: string, salt: Buffer = randomBytes(4)): string {
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]).toString('base64');
}
