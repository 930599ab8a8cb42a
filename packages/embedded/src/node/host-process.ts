import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { ContainerContext, ImageProcess, ImageResolver, ProcessSpec } from '@skipper/api';
import type { Container, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Account } from './accounts.ts';
import { ContainerError } from './container-error.ts';
import type { Owner } from './ownership.ts';

/** Where programs are, when the cluster was started without a PATH. */
const usualPath = '/usr/local/bin:/usr/bin:/bin';
/** Of the cluster's own environment only these reach a process: the rest is nobody's business. */
const passedOn = ['LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR'] as const;

/** Whether a container is a plain process of the machine: nobody knows its image, but it has a command. */
export function isHostProcess({ image = '', command }: Container, images: ImageResolver): boolean {
  return images(image) === undefined && (command ?? []).length > 0;
}

/** Runs a container's command as it would run in a terminal in the folder `workingDir` of this machine. */
export function hostProcess(container: Container): ImageProcess {
  const specOf = (argv: readonly string[], context: ContainerContext): ProcessSpec => {
    const [file = '', ...args] = argv;
    return { file, args, env: context.env, cwd: container.workingDir ?? context.hostPath('/') };
  };
  return {
    async prepare() {},
    async start(context) {
      const spec = specOf([...(context.command ?? []), ...(context.args ?? [])], context);
      await requireStartable(spec, context);
      return spec;
    },
    exec: async (argv, context) => specOf(argv, context),
  };
}

/**
 * What a process has in its environment besides what its container says. `HOST` and `PORT` are where it should listen: pods share the
 * machine's network, and a program that takes a port on all addresses leaves it to no other pod.
 */
export function hostEnvironment(
  container: Container,
  { podIP, account, scratch }: { podIP: string; account: Account | undefined; scratch: string },
): Record<string, string> {
  const port = container.ports?.[0]?.containerPort;
  const env: Record<string, string> = {
    // Node itself may be nowhere else, as with a version manager.
    PATH: `${process.env['PATH'] || usualPath}:${dirname(process.execPath)}`,
    HOME: account?.home ?? scratch,
    HOST: podIP,
    POD_IP: podIP,
    ...(port === undefined ? {} : { PORT: String(port) }),
    ...(account ? { USER: account.name, LOGNAME: account.name } : {}),
  };
  for (const name of passedOn) if (process.env[name]) env[name] = process.env[name]!;
  return env;
}

/** @throws ContainerError for a mount that the process would look for in vain: it sees the machine's own files. */
export function refuseMounts(pod: Pod, container: Container): void {
  const scratch = new Set((pod.spec?.volumes ?? []).filter(({ emptyDir }) => emptyDir).map(({ name }) => name));
  const mount = container.volumeMounts?.find(({ name }) => !scratch.has(name));
  if (mount)
    throw new ContainerError(
      'CreateContainerConfigError',
      `volume "${mount.name}" cannot be mounted at ${mount.mountPath}: the command runs as a process of this machine, which has no files of its own`,
    );
}

const cannotEnter = 3;
const cannotFind = 4;
/** Asked as the user who will run it, whom root cannot answer for. */
const question = `cd -- "$1" 2>/dev/null && [ -r . ] || exit ${cannotEnter}; command -v -- "$2" >/dev/null || exit ${cannotFind}`;

async function requireStartable({ file, cwd = '/', env = {} }: ProcessSpec, owner: Owner): Promise<void> {
  const answer = await exitCodeOf(['/bin/sh', '-c', question, 'sh', cwd, file], env, owner);
  if (answer === cannotEnter)
    throw new ContainerError(
      'CreateContainerError',
      `the folder ${cwd} is not there, or cannot be read by the user that the process runs as${nameOf(owner)}`,
    );
  if (answer === cannotFind)
    throw new ContainerError(
      'RunContainerError',
      `exec: "${file}": executable file not found in $PATH, or not to be run by the user that the process runs as${nameOf(owner)}`,
    );
}

function nameOf({ uid }: Owner): string {
  return uid === undefined ? '' : ` (uid ${uid}; a cluster that runs as root runs nothing else as root)`;
}

function exitCodeOf([file = '', ...args]: string[], env: Record<string, string>, { uid, gid }: Owner): Promise<number> {
  return new Promise((resolve, reject) => {
    const identity = uid === undefined ? {} : { uid, gid: gid ?? uid };
    const child = spawn(file, args, { cwd: '/', env, stdio: 'ignore', ...identity });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
