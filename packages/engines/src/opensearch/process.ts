import { KipError, type BuiltinCommand, type ContainerContext, type ImageProcess } from '@skipper/api';
import { makePodFolder } from '../programs/ownership.ts';
import { findOpensearch, provideOpensearch } from './programs.ts';
import { httpPort, imageHome, scratch, startScript } from './start-script.ts';

export interface OpensearchProcessOptions {
  version: string;
  /** The probes' command lines. */
  acceptsRequests: readonly string[];
  isAlive: readonly string[];
}

/** Variables of the container that its start script reads. */
const passedOn = ['OPENSEARCH_USERNAME', 'OPENSEARCH_PASSWORD', 'MEMORY_LIMIT', 'DISABLE_SECURITY_PLUGIN'];

/** The image as a plain process, by the container's own start script. */
export function opensearchProcess({ version, acceptsRequests, isAlive }: OpensearchProcessOptions): ImageProcess {
  return {
    prepare: (context) => provideOpensearch(version, context),

    async start(context) {
      const home = await findOpensearch(version, context.enginesDir);
      if (!home)
        throw new KipError('engine-unavailable', `OpenSearch ${version} is no longer on this machine.`, {
          hint: 'Restart the service: it is then fetched again.',
        });
      if (process.getuid?.() === 0 && !context.uid)
        throw new KipError('unsupported', 'OpenSearch refuses to run as root.', { hint: 'Run the pod as a user of its own.' });
      const data = context.hostPath(`${imageHome}/data`);
      const scratchFolder = context.hostPath(scratch);
      for (const folder of [data, scratchFolder]) await makePodFolder(folder, context);
      return {
        file: '/bin/bash',
        args: ['-c', startScript],
        env: {
          PATH: process.env['PATH'] ?? '/usr/bin:/bin',
          LC_ALL: 'C.UTF-8',
          HOME: scratchFolder,
          OPENSEARCH_HOME: home,
          OPENSEARCH_DATA: data,
          OPENSEARCH_SCRATCH: scratchFolder,
          OPENSEARCH_LISTEN: context.podIP,
          OPENSEARCH_TRANSPORT: context.podIP,
          ...Object.fromEntries(passedOn.flatMap((name) => (context.env[name] ? [[name, context.env[name]]] : []))),
        },
        cwd: scratchFolder,
      };
    },

    async exec(argv, context) {
      const line = argv.join('\0');
      if (line === acceptsRequests.join('\0')) return asking(context, '/_cluster/health?local=true', (status) => status === 200);
      if (line === isAlive.join('\0')) return asking(context, '/', () => true);
      return undefined;
    },
  };
}

function asking(context: ContainerContext, path: string, good: (status: number) => boolean): BuiltinCommand {
  return async (signal) => {
    const { OPENSEARCH_USERNAME: username = '', OPENSEARCH_PASSWORD: password = '' } = context.env;
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    try {
      const { status, body } = await fetch(`http://${context.podIP}:${httpPort}${path}`, { headers: { authorization }, signal });
      await body?.cancel();
      return { exitCode: good(status) ? 0 : 1, stdout: `${status}\n` };
    } catch {
      return { exitCode: 1, stderr: 'no answer\n' };
    }
  };
}
