import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { KipError, type BuiltinCommand, type ContainerContext, type ImageProcess } from '@skipper/api';
import { makePodFolder } from '../programs/ownership.ts';
import { readPrivateFile, writePrivateFile } from '../programs/private-file.ts';
import { greetAmqp } from './amqp-greeting.ts';
import { takeFreePorts } from './free-ports.ts';
import { findRabbitmq, provideRabbitmq, type RabbitmqPrograms } from './programs.ts';
import { amqpPort, definitions, enabledPlugins, hashPassword, memoryShare, nodeName, rabbitmqConfig } from './settings.ts';

export interface RabbitmqProcessOptions {
  /** The probes' command lines. */
  acceptsClients: readonly string[];
  isAlive: readonly string[];
}

/** On 127.0.0.1, where Erlang looks for them; new at each start, so that any number of brokers share a machine. */
interface NodePorts {
  epmd: number;
  distribution: number;
}

/** The options of RabbitMQ's own start script. https://www.rabbitmq.com/docs/runtime */
const runtimeOptions =
  '-noinput -s rabbit boot -boot start_sasl +W w +MBas ageffcbf +MHas ageffcbf +MBlmbcs 512 +MHlmbcs 512 +MMmcs 30 +pc unicode +P 1048576 +t 5000000 +stbt db +zdbbl 128000 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1} -syslog logger [] -syslog syslog_error_logger false -kernel prevent_overlapping_partitions false'.split(
    ' ',
  );

/** The port mapper as a part of the pod: Erlang would leave one behind that all nodes of the machine share. */
const launcher = '"$1" -address 127.0.0.1 -port "$ERL_EPMD_PORT" >/dev/null 2>&1 & shift; exec "$@"';

/** The image as a plain process, with the same settings as the container's start script. */
export function rabbitmqProcess({ acceptsClients, isAlive }: RabbitmqProcessOptions): ImageProcess {
  return {
    prepare: provideRabbitmq,

    async start(context) {
      const programs = await requirePrograms(context);
      const folders = foldersOf(context);
      for (const folder of [folders.data, folders.home]) await makePodFolder(folder, context);
      const [epmd, distribution] = await takeFreePorts(2);
      const ports: NodePorts = { epmd: epmd!, distribution: distribution! };
      await writePrivateFile(folders.ports, JSON.stringify(ports), context);
      await writePrivateFile(join(folders.home, '.erlang.cookie'), randomBytes(32).toString('hex'), context, 0o400);
      await writePrivateFile(folders.plugins, enabledPlugins, context);
      const password = hashPassword(required(context, 'RABBITMQ_DEFAULT_PASS'));
      await writePrivateFile(folders.definitions, definitions(required(context, 'RABBITMQ_DEFAULT_USER'), password), context);
      const limit = Number(context.env['MEMORY_LIMIT']);
      const config = rabbitmqConfig({
        bind: context.podIP,
        definitionsFile: folders.definitions,
        ...(limit > 0 ? { memory: { limit: String(limit), watermark: String(Math.floor(limit * memoryShare)) } } : {}),
      });
      await writePrivateFile(folders.config, config, context);
      return {
        file: '/bin/sh',
        args: ['-c', launcher, 'sh', join(programs.runtime, 'epmd'), join(programs.runtime, 'erlexec'), ...runtimeOptions],
        env: environment(programs, folders, ports),
        cwd: folders.home,
      };
    },

    async exec(argv, context) {
      const line = argv.join('\0');
      if (line === acceptsClients.join('\0')) return answering(context, async (answer) => answer === 'accepting');
      if (line === isAlive.join('\0'))
        return answering(context, async (answer) => answer === 'accepting' || (answer === 'refused' && (await nodeIsUp(context))));
      return tool(argv, context);
    },
  };
}

/** `rabbitmqctl` and its like. */
async function tool([name = '', ...args]: string[], context: ContainerContext) {
  if (name.includes('/')) return undefined;
  const programs = await requirePrograms(context);
  const script = join(programs.home, 'escript', name);
  if (!(await stat(script).catch(() => undefined))) return undefined;
  const folders = foldersOf(context);
  return {
    file: join(programs.erlang, 'bin', 'escript'),
    args: [script, ...args],
    env: {
      ...environment(programs, folders, await portsOf(context)),
      ESCRIPT_EMULATOR: join(programs.runtime, 'erlexec'),
      ERL_FLAGS: '-boot start_clean -kernel inet_dist_use_interface {127,0,0,1}',
      RABBITMQ_SCRIPT_NAME: name,
    },
    cwd: folders.home,
  };
}

function foldersOf(context: ContainerContext) {
  const home = context.hostPath('/tmp');
  return {
    home,
    data: context.hostPath('/var/lib/rabbitmq/mnesia'),
    config: join(home, 'rabbitmq.conf'),
    definitions: join(home, 'definitions.json'),
    plugins: join(home, 'enabled_plugins'),
    ports: join(home, 'ports.json'),
  };
}

/** All of RabbitMQ's paths are named, so that nothing of a RabbitMQ that this machine has itself is read. */
function environment(
  { home, erlang, runtime, env }: RabbitmqPrograms,
  folders: ReturnType<typeof foldersOf>,
  ports: NodePorts,
): Record<string, string> {
  return {
    ...env,
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    HOME: folders.home,
    ROOTDIR: erlang,
    BINDIR: runtime,
    EMU: 'beam',
    PROGNAME: 'erl',
    ERL_LIBS: join(home, 'plugins'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_MAX_ETS_TABLES: '50000',
    ERL_MAX_PORTS: '65536',
    RABBITMQ_HOME: home,
    RABBITMQ_PLUGINS_DIR: join(home, 'plugins'),
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: folders.data,
    RABBITMQ_CONFIG_FILE: folders.config,
    RABBITMQ_CONFIG_FILES: join(folders.home, 'conf.d'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folders.home, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_ENABLED_PLUGINS_FILE: folders.plugins,
    RABBITMQ_PID_FILE: join(folders.home, 'rabbitmq.pid'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_LOG_BASE: join(folders.home, 'log'),
  };
}

function answering(context: ContainerContext, good: (answer: Awaited<ReturnType<typeof greetAmqp>>) => Promise<boolean>): BuiltinCommand {
  return async (signal) => {
    const answer = await greetAmqp(context.podIP, amqpPort, signal);
    return (await good(answer)) ? { exitCode: 0 } : { exitCode: 1, stderr: `AMQP: ${answer}\n` };
  };
}

async function nodeIsUp(context: ContainerContext): Promise<boolean> {
  const { distribution } = await portsOf(context);
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: distribution });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function portsOf(context: ContainerContext): Promise<NodePorts> {
  const file = foldersOf(context).ports;
  const text = await readPrivateFile(file, context);
  if (text === undefined) throw new Error(`${file} is not what the start wrote`);
  return JSON.parse(text) as NodePorts;
}

async function requirePrograms(context: { enginesDir: string }): Promise<RabbitmqPrograms> {
  const found = await findRabbitmq(context.enginesDir);
  if (found) return found;
  throw new KipError('engine-unavailable', '"rabbitmq-server" is no longer on this machine.', {
    hint: 'Restart the service: it is then fetched again.',
  });
}

function required(context: ContainerContext, name: string): string {
  const value = context.env[name];
  if (!value) throw new KipError('invalid', `Container "${context.containerName}" of pod "${context.podName}" lacks the variable ${name}.`);
  return value;
}
