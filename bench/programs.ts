import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** npm runs scripts in the repository's folder; this program runs as a bundle elsewhere. */
export const root = process.cwd();
/** The bundle that is shipped. */
export const kipBundle = join(root, 'dist', 'kip.cjs');
export const objectStoreProgram = join(root, 'dist', 'programs', 'object-store', 'main.cjs');
export const kubectl = process.env['KUBECTL'] ?? 'kubectl';

export interface ProgramOptions {
  env?: NodeJS.ProcessEnv;
  input?: string;
  uid?: number;
}

/** Runs a program to its end. @returns its standard output. @throws with what it said when it fails */
export function run(file: string, args: readonly string[], { env, input = '', uid }: ProgramOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: { ...process.env, ...env }, ...(uid === undefined ? {} : { uid, gid: uid }), cwd: '/' });
    let out = '';
    let err = '';
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      err += data.toString();
    });
    child.stdin.on('error', () => {}).end(input);
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`${file} ${args.join(' ')} ended with ${code}: ${err}`))));
  });
}

export const kip = (args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> =>
  run(process.execPath, [kipBundle, ...args], { env });

/** Resident memory of a process in MiB. */
export function residentMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** The pid of the cluster of `kip up` in this folder, once it serves. */
export function servingProcess(home: string): number | undefined {
  try {
    const { pid, server } = JSON.parse(readFileSync(join(home, 'embedded', 'running.json'), 'utf8')) as { pid: number; server?: string };
    return server ? pid : undefined;
  } catch {
    return undefined;
  }
}
