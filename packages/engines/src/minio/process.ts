import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KipError, type ContainerContext, type ImageProcess, type ProcessSpec } from '@skipper/api';
import type { ProcessHost } from '../engine.ts';
import { findPrograms } from '../programs/find-program.ts';
import { provideNode, provideOwnProgram } from '../programs/own-program.ts';
import { makePodFolder } from '../programs/ownership.ts';

const program = 'minio';
const ownProgram = 'object-store';
const port = 9000;
const consolePort = 9001;

/**
 * The image as a plain process: MinIO where it is installed, else a server of our own that speaks S3 and what we use of MinIO's
 * admin API. Neither reads the other's files, so a volume stays with the one that first wrote to it.
 */
export function minioProcess(host: ProcessHost): ImageProcess {
  return {
    async prepare(context) {
      // Which of the two a volume needs is known only at its start.
      if (await installedFolder()) return;
      await provideOwnProgram(ownProgram, host, context);
      await provideNode(context);
    },

    async start(context) {
      const data = context.hostPath('/data');
      const scratch = context.hostPath('/tmp');
      await makePodFolder(data, context);
      await makePodFolder(scratch, context);
      const installed = await installedFolder();
      const isOwn = await exists(join(data, ownProgram));
      const isMinio = await exists(join(data, '.minio.sys'));
      if (installed && !isOwn) return minioItself(join(installed, program), data, scratch, context);
      if (isMinio)
        throw new KipError('engine-unavailable', 'The volume was written by MinIO, which is no longer on this machine.', {
          hint: `Install MinIO so that "${program}" is on PATH, or delete the service with its data.`,
        });
      return {
        file: await provideNode(context),
        args: [await provideOwnProgram(ownProgram, host, context)],
        env: {
          ...basics(scratch),
          MINIO_VOLUMES: join(data, ownProgram),
          MINIO_ADDRESS: `${context.podIP}:${port}`,
          MINIO_ROOT_USER: required(context, 'MINIO_ROOT_USER'),
          MINIO_ROOT_PASSWORD: required(context, 'MINIO_ROOT_PASSWORD'),
        },
        cwd: data,
        standIn: "Skipper's own S3 server",
      };
    },
  };
}

const installedFolder = (): Promise<string | undefined> => findPrograms([program], ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']);

function minioItself(file: string, data: string, scratch: string, context: ContainerContext): ProcessSpec {
  const { podIP } = context;
  const listen = ['--address', `${podIP}:${port}`, '--console-address', `${podIP}:${consolePort}`];
  return {
    file,
    args: ['server', ...listen, '--certs-dir', join(scratch, 'certs'), data],
    env: {
      ...basics(scratch),
      MINIO_ROOT_USER: required(context, 'MINIO_ROOT_USER'),
      MINIO_ROOT_PASSWORD: required(context, 'MINIO_ROOT_PASSWORD'),
      MINIO_UPDATE: 'off',
    },
    cwd: data,
  };
}

const basics = (home: string): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
  HOME: home,
});

function required(context: ContainerContext, name: string): string {
  const value = context.env[name];
  if (!value) throw new KipError('invalid', `Container "${context.containerName}" of pod "${context.podName}" lacks the variable ${name}.`);
  return value;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
