import { spawn } from 'node:child_process';
import { delimiter } from 'node:path';
import { KipError } from '@skipper/api';
import type { Cluster, ClusterEntry, ExecEntry } from './kubeconfig.ts';

/** What a credentials program gave. https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins */
export interface ExecCredential {
  token?: string;
  /** PEM. */
  certificate?: string;
  key?: string;
  /** When it ends, in ms since the epoch; Infinity when the program did not say. */
  expiresAt: number;
}

const apiVersions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];
/** A program that nobody can talk to and that says nothing hangs; one with a terminal may wait for a person. */
const timeoutMs = 60_000;
const interactiveTimeoutMs = 600_000;
/** What an ended program has printed arrives within this. */
const drainMs = 200;
/** More is no credential. */
const outputLimit = 1024 * 1024;
/** Where a cluster keeps settings for credentials programs. */
const execExtension = 'client.authentication.k8s.io/exec';

/**
 * Runs the credentials program of a kubeconfig user.
 * @throws KipError `unauthorized` that says what went wrong and how to install the program; never what it printed on stdout
 */
export async function runExecPlugin(cluster: Cluster, exec: ExecEntry): Promise<ExecCredential> {
  const { apiVersion = '', command, interactiveMode = 'IfAvailable' } = exec;
  const name = `The credentials program "${command ?? ''}" of context "${cluster.context}"`;
  if (!command)
    throw new KipError('usage', `The exec entry of context "${cluster.context}" names no command.`, { hint: 'Mend the kubeconfig.' });
  if (!apiVersions.includes(apiVersion)) {
    throw new KipError('unsupported', `${name} uses the API version "${apiVersion}".`, {
      hint: `Update the program and its kubeconfig entry; possible are ${apiVersions.join(' and ')}.`,
    });
  }
  const terminal = process.stdin.isTTY === true;
  if (interactiveMode === 'Always' && !terminal) {
    throw new KipError('unauthorized', `${name} wants to ask for something, and there is no terminal.`, {
      hint: 'Run the command in a terminal.',
    });
  }
  const interactive = terminal && interactiveMode !== 'Never';
  const info = {
    apiVersion,
    kind: 'ExecCredential',
    spec: { interactive, ...(exec.provideClusterInfo ? { cluster: await clusterInfo(cluster) } : {}) },
  };
  const { stdout, failure } = await run(exec, command, JSON.stringify(info), interactive);
  if (failure)
    throw new KipError('unauthorized', `${name} ${failure}.`, {
      hint: exec.installHint?.trim() || 'Run it by hand to see why, or log in again.',
    });
  return readCredential(stdout, apiVersion, name);
}

async function run(exec: ExecEntry, command: string, info: string, interactive: boolean): Promise<{ stdout: string; failure?: string }> {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const { name, value } of exec.env ?? []) env[name] = value;
  env['KUBERNETES_EXEC_INFO'] = info;
  const limitMs = interactive ? interactiveTimeoutMs : timeoutMs;
  return new Promise((resolve) => {
    const child = spawn(command, exec.args ?? [], {
      env,
      stdio: [interactive ? 'inherit' : 'ignore', 'pipe', interactive ? 'inherit' : 'pipe'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    // What it has left behind may hold its output open for good.
    child.once('exit', () => {
      const drained = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, drainMs);
      child.once('close', () => clearTimeout(drained));
    });
    const stdout: Buffer[] = [];
    let stdoutBytes = 0;
    let complaint = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdoutBytes += chunk.length;
      if (stdoutBytes > outputLimit) child.kill('SIGKILL');
      else stdout.push(chunk);
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      complaint = (complaint + chunk).slice(-2000);
    });
    child.on('error', (error: NodeJS.ErrnoException) => resolve({ stdout: '', failure: startFailure(error, command) }));
    child.on('close', (code, signal) => {
      const said = complaint.trim().split('\n').at(-1)?.trim();
      if (stdoutBytes > outputLimit) resolve({ stdout: '', failure: 'printed more than a credential' });
      else if (signal)
        resolve({ stdout: '', failure: signal === 'SIGKILL' ? `did not end within ${limitMs / 1000} s` : `was ended by ${signal}` });
      else if (code !== 0) resolve({ stdout: '', failure: `failed with exit code ${code}${said ? `: ${said.slice(0, 300)}` : ''}` });
      else resolve({ stdout: Buffer.concat(stdout).toString('utf8') });
    });
  });
}

function startFailure(error: NodeJS.ErrnoException, command: string): string {
  if (error.code !== 'ENOENT') return `cannot be started (${error.code})`;
  return /[\\/]/.test(command) ? 'does not exist' : `is not in PATH (${(process.env['PATH'] ?? '').split(delimiter).length} folders)`;
}

function readCredential(stdout: string, apiVersion: string, name: string): ExecCredential {
  const invalid = (what: string): KipError =>
    new KipError('unauthorized', `${name} ${what}.`, { hint: 'Update the program, or its entry in the kubeconfig.' });
  let answer: { kind?: unknown; apiVersion?: unknown; status?: Record<string, unknown> } | null;
  try {
    answer = JSON.parse(stdout) as typeof answer;
  } catch {
    throw invalid('did not print JSON');
  }
  if (answer?.kind !== 'ExecCredential') throw invalid('did not print an ExecCredential');
  if (answer.apiVersion !== apiVersion) throw invalid(`answered in another API version than ${apiVersion}`);
  const status = answer.status ?? {};
  const text = (field: string): string | undefined =>
    typeof status[field] === 'string' && status[field] !== '' ? (status[field] as string) : undefined;
  const token = text('token');
  const certificate = text('clientCertificateData');
  const key = text('clientKeyData');
  if (Boolean(certificate) !== Boolean(key)) throw invalid('gave a certificate without its key, or a key without its certificate');
  if (!token && !certificate) throw invalid('gave neither a token nor a certificate');
  const expiresAt = Date.parse(text('expirationTimestamp') ?? '');
  return { token, certificate, key, expiresAt: Number.isNaN(expiresAt) ? Infinity : expiresAt };
}

async function clusterInfo({ settings, server }: Cluster): Promise<Record<string, unknown>> {
  const file = settings['certificate-authority'];
  const { readFile } = await import('node:fs/promises');
  const authority = settings['certificate-authority-data'] ?? (file ? (await readFile(file)).toString('base64') : undefined);
  return withoutUndefined({
    server,
    'tls-server-name': settings['tls-server-name'],
    'insecure-skip-tls-verify': settings['insecure-skip-tls-verify'],
    'certificate-authority-data': authority,
    'proxy-url': settings['proxy-url'],
    config: configOf(settings),
  });
}

function configOf(settings: ClusterEntry): unknown {
  return settings.extensions?.find(({ name }) => name === execExtension)?.extension;
}

function withoutUndefined(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
