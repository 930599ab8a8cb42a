import { readFile } from 'node:fs/promises';
import { KipError } from '@skipper/api';
import type { ExecCredential } from './exec-plugin.ts';
import type { Cluster, UserEntry } from './kubeconfig.ts';

/** PEM. */
export interface ClientCertificate {
  certificate: string;
  key: string;
}

/** Who we are to one API server. */
export interface Credentials {
  /** `Authorization` and impersonation. */
  headers(): Promise<Record<string, string>>;
  clientCertificate(): Promise<ClientCertificate | undefined>;
  /**
   * After an answer 401: gets what can be got anew.
   * @param rejected the Authorization header of the request
   * @returns whether another try may go better
   */
  refresh(rejected: string | undefined): Promise<boolean>;
}

/** The kubelet replaces a token long before it ends; reading the file this often is enough and costs nothing. */
const tokenFileMs = 10_000;
/** A credential that ends within this time is replaced first: the request still has to get there. */
const expiryMarginMs = 10_000;

/** @throws KipError `unsupported` for ways to authenticate that are not built. */
export function createCredentials(cluster: Cluster): Credentials {
  const { user, context } = cluster;
  if (user['auth-provider']) {
    throw new KipError(
      'unsupported',
      `Context "${context}" authenticates by auth-provider "${user['auth-provider'].name ?? ''}", which Kubernetes has removed.`,
      {
        hint: 'Use the exec credentials program of your provider.',
      },
    );
  }
  const fixed = impersonation(user);
  const exec = user.exec ? execSource(cluster) : undefined;
  const tokenFile = user.tokenFile ? tokenFileSource(user.tokenFile, user.token, context) : undefined;

  const authorization = async (): Promise<string | undefined> => {
    const token = tokenFile ? await tokenFile.token() : user.token || (exec ? (await exec.get()).token : undefined);
    if (token) return `Bearer ${token}`;
    if (user.username || user.password) return `Basic ${Buffer.from(`${user.username ?? ''}:${user.password ?? ''}`).toString('base64')}`;
    return undefined;
  };

  return {
    async headers() {
      const value = await authorization();
      // A line break in a token file or an answer would be refused by Node with a message that quotes it.
      if (value !== undefined && /[^\x20-\x7e]/.test(value))
        throw new KipError('unauthorized', `The token of context "${context}" has characters that no token has.`, {
          hint: 'Log in again, or mend the kubeconfig.',
        });
      return value === undefined ? fixed : { authorization: value, ...fixed };
    },
    async clientCertificate() {
      const certificate = await dataOrFile(user['client-certificate-data'], user['client-certificate'], 'client-certificate', context);
      const key = await dataOrFile(user['client-key-data'], user['client-key'], 'client-key', context);
      if (certificate && key) return { certificate, key };
      if (certificate || key)
        throw new KipError('usage', `Context "${context}" has a client certificate without its key, or a key without its certificate.`, {
          hint: 'Mend the kubeconfig.',
        });
      const credential = exec ? await exec.get() : undefined;
      return credential?.certificate && credential.key ? { certificate: credential.certificate, key: credential.key } : undefined;
    },
    async refresh(rejected) {
      if (!tokenFile && !exec) return false;
      tokenFile?.forget();
      if ((await authorization()) !== rejected) return true;
      if (!exec || tokenFile || user.token) return false;
      exec.forget();
      return true;
    },
  };
}

function impersonation(user: UserEntry): Record<string, string> {
  const headers: Record<string, string> = {};
  if (user.as) headers['impersonate-user'] = user.as;
  if (user['as-uid']) headers['impersonate-uid'] = user['as-uid'];
  // Node joins the values of one header by commas, which Kubernetes would read as one group: several need a list.
  if (user['as-groups']?.length) headers['impersonate-group'] = user['as-groups'] as unknown as string;
  for (const [key, values] of Object.entries(user['as-user-extra'] ?? {}))
    headers[`impersonate-extra-${encodeURIComponent(key).toLowerCase()}`] = values as unknown as string;
  return headers;
}

async function dataOrFile(data: string | undefined, file: string | undefined, what: string, context: string): Promise<string | undefined> {
  if (data) return Buffer.from(data, 'base64').toString('utf8');
  if (!file) return undefined;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new KipError(
      'usage',
      `The ${what} of context "${context}", ${file}, cannot be read (${(error as NodeJS.ErrnoException).code}).`,
      { hint: 'Mend the kubeconfig, or fetch a new one.' },
    );
  }
}

interface TokenFile {
  token(): Promise<string>;
  forget(): void;
}

function tokenFileSource(file: string, fallback: string | undefined, context: string): TokenFile {
  let last = fallback ?? '';
  let readAt = -Infinity;
  return {
    async token() {
      if (performance.now() - readAt < tokenFileMs) return last;
      try {
        // An empty file is one that is just being written.
        last = (await readFile(file, 'utf8')).trim() || last;
        readAt = performance.now();
      } catch (error) {
        if (!last)
          throw new KipError(
            'unauthorized',
            `The token file of context "${context}", ${file}, cannot be read (${(error as NodeJS.ErrnoException).code}).`,
            { hint: 'Check that the file exists, or log in again.' },
          );
      }
      return last;
    },
    forget() {
      readAt = -Infinity;
    },
  };
}

interface ExecSource {
  get(): Promise<ExecCredential>;
  forget(): void;
}

/** One run serves all who ask meanwhile; a failed run is not remembered. */
function execSource(cluster: Cluster): ExecSource {
  let current: { credential: Promise<ExecCredential>; expiresAt: number } | undefined;
  return {
    get() {
      if (current && current.expiresAt - expiryMarginMs > Date.now()) return current.credential;
      const credential = import('./exec-plugin.ts').then(({ runExecPlugin }) => runExecPlugin(cluster, cluster.user.exec!));
      const mine = { credential, expiresAt: Infinity };
      current = mine;
      credential.then(
        ({ expiresAt }) => {
          mine.expiresAt = expiresAt;
        },
        () => {
          if (current === mine) current = undefined;
        },
      );
      return credential;
    },
    forget() {
      current = undefined;
    },
  };
}
