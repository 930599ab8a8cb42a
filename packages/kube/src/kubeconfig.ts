import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { KipError } from '@skipper/api';

/** The `cluster` of a kubeconfig entry. https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#Cluster */
export interface ClusterEntry {
  server?: string;
  'tls-server-name'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'proxy-url'?: string;
  extensions?: { name: string; extension: unknown }[];
}

/** The `user` of a kubeconfig entry. https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#AuthInfo */
export interface UserEntry {
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  token?: string;
  tokenFile?: string;
  as?: string;
  'as-uid'?: string;
  'as-groups'?: string[];
  'as-user-extra'?: Record<string, string[]>;
  username?: string;
  password?: string;
  'auth-provider'?: { name?: string };
  exec?: ExecEntry;
}

/** How to run a credentials program. https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#ExecConfig */
export interface ExecEntry {
  apiVersion?: string;
  command?: string;
  args?: string[] | null;
  env?: { name: string; value: string }[] | null;
  installHint?: string;
  provideClusterInfo?: boolean;
  interactiveMode?: 'Never' | 'IfAvailable' | 'Always';
}

export interface ContextEntry {
  cluster?: string;
  user?: string;
  namespace?: string;
}

/** Several kubeconfig files as one; paths in it are absolute. */
export interface Kubeconfig {
  /** The files it was asked for, those that do not exist too. */
  readonly files: readonly string[];
  readonly currentContext: string | undefined;
  readonly contexts: ReadonlyMap<string, ContextEntry>;
  readonly clusters: ReadonlyMap<string, ClusterEntry>;
  readonly users: ReadonlyMap<string, UserEntry>;
}

/** One API server and the way to be somebody there. */
export interface Cluster {
  /** Name of the context, for messages. */
  readonly context: string;
  /** Base URL of the API server. */
  readonly server: string;
  /** The context's default namespace. */
  readonly namespace: string;
  readonly settings: ClusterEntry;
  readonly user: UserEntry;
}

export interface LoadKubeconfigOptions {
  env?: NodeJS.ProcessEnv;
  /** Instead of KUBECONFIG's list. A file that is named here must exist. */
  files?: string[];
}

/**
 * Reads the files that KUBECONFIG lists, else `~/.kube/config`, and merges them as kubectl does: of each entry the first wins.
 * @throws KipError `usage` for a file that cannot be read or understood; files of the list that do not exist are passed over.
 */
export async function loadKubeconfig({ env = process.env, files }: LoadKubeconfigOptions = {}): Promise<Kubeconfig> {
  const listed = [...new Set(env['KUBECONFIG']?.split(delimiter).filter(Boolean))];
  const paths = (files ?? (listed.length > 0 ? listed : [join(env['HOME'] || homedir(), '.kube', 'config')])).map((path) => resolve(path));
  const contexts = new Map<string, ContextEntry>();
  const clusters = new Map<string, ClusterEntry>();
  const users = new Map<string, UserEntry>();
  let currentContext: string | undefined;
  for (const path of paths) {
    const content = await parseFile(path, files !== undefined);
    if (!content) continue;
    currentContext ||= textOf(content['current-context']);
    addMissing(contexts, content['contexts'], 'context', path);
    addMissing(clusters, content['clusters'], 'cluster', path);
    addMissing(users, content['users'], 'user', path);
  }
  return { files: paths, currentContext, contexts, clusters, users };
}

async function parseFile(path: string, required: boolean): Promise<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !required) return undefined;
    throw new KipError('usage', `The kubeconfig ${path} cannot be read (${code}).`, {
      hint: 'Check the path and its permissions.',
      cause: error,
    });
  }
  const content = await parse(text, path);
  if (content === null || content === undefined) return undefined;
  if (typeof content !== 'object' || Array.isArray(content)) throw malformed(path);
  return content as Record<string, unknown>;
}

/** JSON is YAML too, and reading it so saves the import of a YAML parser. Neither parser's message is passed on: it quotes the text. */
async function parse(text: string, path: string): Promise<unknown> {
  if (text.trimStart().startsWith('{')) {
    try {
      return JSON.parse(text);
    } catch {
      // YAML in flow style begins like JSON.
    }
  }
  const { parse: parseYaml } = await import('yaml');
  try {
    return parseYaml(text, { logLevel: 'error' });
  } catch (error) {
    const line = (error as { linePos?: { line: number }[] }).linePos?.[0]?.line;
    throw malformed(path, line);
  }
}

function malformed(path: string, line?: number): KipError {
  return new KipError('usage', `The kubeconfig ${path} is not valid YAML of a kubeconfig${line ? ` (line ${line})` : ''}.`, {
    hint: 'Mend the file, or name another one in KUBECONFIG.',
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const pathFields = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'] as const;

function addMissing<T extends object>(known: Map<string, T>, entries: unknown, field: 'context' | 'cluster' | 'user', path: string): void {
  if (entries === null || entries === undefined) return;
  if (!Array.isArray(entries)) throw malformed(path);
  for (const entry of entries as unknown[]) {
    const name = typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>)['name'] : undefined;
    if (typeof name !== 'string') throw malformed(path);
    if (known.has(name)) continue;
    const value = (entry as Record<string, unknown>)[field] ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) throw malformed(path);
    known.set(name, withAbsolutePaths(value as Record<string, unknown>, dirname(path)) as T);
  }
}

function withAbsolutePaths(entry: Record<string, unknown>, folder: string): Record<string, unknown> {
  const copy = { ...entry };
  for (const field of pathFields) {
    const value = textOf(copy[field]);
    if (value) copy[field] = isAbsolute(value) ? value : resolve(folder, value);
  }
  const exec = copy['exec'] as ExecEntry | undefined;
  // A command with a separator is a path of that file; a bare name is looked up in PATH.
  if (exec?.command && /[\\/]/.test(exec.command)) copy['exec'] = { ...exec, command: resolve(folder, exec.command) };
  return copy;
}

/**
 * The cluster of a context.
 * @param contextName default: the kubeconfig's current context
 * @throws KipError `no-cluster` when there is no current context, `usage` for a context that is unknown or incomplete
 */
export function resolveCluster(kubeconfig: Kubeconfig, contextName = kubeconfig.currentContext): Cluster {
  const { contexts, clusters, users, files } = kubeconfig;
  const known = [...contexts.keys()];
  const choose =
    known.length > 0
      ? `Choose one of: ${known.slice(0, 10).join(', ')}${known.length > 10 ? ', …' : ''}.`
      : `There are no contexts in ${files.join(', ')}.`;
  if (!contextName) throw new KipError('no-cluster', 'The kubeconfig names no current context.', { hint: choose });
  const context = contexts.get(contextName);
  if (!context) throw new KipError('usage', `The kubeconfig has no context "${contextName}".`, { hint: choose });
  const settings = clusters.get(context.cluster ?? '');
  if (!settings)
    throw new KipError(
      'usage',
      `Context "${contextName}" names the cluster "${context.cluster ?? ''}", which the kubeconfig does not have.`,
      { hint: `Mend ${files.join(', ')}.` },
    );
  const user = context.user ? users.get(context.user) : {};
  if (!user)
    throw new KipError('usage', `Context "${contextName}" names the user "${context.user}", which the kubeconfig does not have.`, {
      hint: `Mend ${files.join(', ')}.`,
    });
  const server = settings.server ?? '';
  if (!/^https?:\/\/[^/]/i.test(server) || !URL.canParse(server)) {
    throw new KipError('usage', `The server of context "${contextName}" is not an http or https URL.`, {
      hint: `Mend ${files.join(', ')}.`,
    });
  }
  return { context: contextName, server, namespace: context.namespace || 'default', settings, user };
}
