import { readFile } from 'node:fs/promises';
import { connect, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, createSecureContext, type ConnectionOptions, type SecureContext } from 'node:tls';
import { KipError } from '@skipper/api';
import { abortWith } from './abort.ts';
import { createCredentials } from './credentials.ts';
import type { Cluster } from './kubeconfig.ts';
import { connectThroughProxy, proxyFor } from './proxy.ts';
import { established, hostOf } from './socket.ts';
import { unreachable } from './unreachable.ts';

/** What every request to one API server, streams included, needs: where it is, who we are, and how to get there. */
export interface ApiConnection {
  /** Base URL of the API server. */
  readonly server: URL;
  /** What every path begins with: empty, or the path of {@link server} for one behind a gateway. */
  readonly basePath: string;
  /** Name of the context, for messages. */
  readonly context: string;
  /** How long the server may be silent when it owes an answer, in ms. */
  readonly answerTimeoutMs: number;
  /** Certificates, trust and name checks for TLS to the server. */
  tlsOptions(): Promise<ConnectionOptions>;
  /** `host`, `user-agent`, authorization and impersonation. @throws KipError `unauthorized` when there are no credentials to be had */
  headers(): Promise<Record<string, string>>;
  /** A new connection of its own to the server: TLS is established, a proxy passed. @throws KipError `unreachable`; the signal's reason */
  dial(signal?: AbortSignal): Promise<Socket>;
  /** After an answer 401 to a request with this Authorization header: gets new credentials. @returns whether there may be better ones now */
  refresh(rejected: string | undefined): Promise<boolean>;
  /** The KipError `unreachable` for a connection that failed; other KipErrors are passed through. */
  unreachable(error: unknown): KipError;
}

interface ConnectionSettings {
  /** Where HTTPS_PROXY and NO_PROXY are read. */
  env?: NodeJS.ProcessEnv;
  /** How long TCP, a proxy and TLS may take together. */
  connectTimeoutMs?: number;
  /** How long the server may be silent when it owes an answer. */
  answerTimeoutMs?: number;
}

/** The first probe of an idle connection; the kernel sends ten more in ten seconds before it gives up. */
const keepAliveDelayMs = 15_000;
const userAgent = `skipper/0.1.0 (${process.platform}/${process.arch})`;

/** @throws KipError `unsupported` for a way to authenticate that is not built */
export function createConnection(
  cluster: Cluster,
  { env = process.env, connectTimeoutMs = 10_000, answerTimeoutMs = 60_000 }: ConnectionSettings = {},
): ApiConnection {
  const server = new URL(cluster.server);
  const { context, settings } = cluster;
  const credentials = createCredentials(cluster);
  const name = { context, server };
  const proxy = proxyFor(server, settings['proxy-url'], env, context);
  const secure = secureContexts(cluster);

  const connection: ApiConnection = {
    server,
    basePath: server.pathname.replace(/\/+$/, ''),
    context,
    answerTimeoutMs,
    async tlsOptions() {
      const serverName = settings['tls-server-name'];
      const host = hostOf(server);
      return {
        host,
        // An IP address cannot be asked for by name.
        servername: serverName && !isIP(serverName) ? serverName : isIP(host) ? '' : host,
        ...(serverName && isIP(serverName)
          ? { checkServerIdentity: (_: string, certificate) => checkServerIdentity(serverName, certificate) }
          : {}),
        rejectUnauthorized: !settings['insecure-skip-tls-verify'],
        ALPNProtocols: ['http/1.1'],
        secureContext: await secure(await credentials.clientCertificate()),
      };
    },
    async headers() {
      return { host: server.host, 'user-agent': userAgent, ...(await credentials.headers()) };
    },
    async dial(signal) {
      signal?.throwIfAborted();
      // A credentials program may wait for a person: the time to connect starts after it.
      const tls = server.protocol === 'https:' ? await connection.tlsOptions() : undefined;
      const ending = new AbortController();
      const limit = ending.signal;
      const timer = setTimeout(() => ending.abort(Object.assign(new Error('connect timeout'), { code: 'ETIMEDOUT' })), connectTimeoutMs);
      const unlink = abortWith(ending, signal);
      try {
        const target = { host: hostOf(server), port: Number(server.port || (tls ? 443 : 80)) };
        const plain = proxy ? await connectThroughProxy(proxy, target, limit) : await established(connect(target), 'connect', limit);
        plain.setNoDelay(true).setKeepAlive(true, keepAliveDelayMs);
        return tls ? await established(connectTls({ ...tls, socket: plain }), 'secureConnect', limit) : plain;
      } catch (error) {
        signal?.throwIfAborted();
        throw unreachable(name, limit.aborted ? limit.reason : error);
      } finally {
        clearTimeout(timer);
        unlink();
      }
    },
    refresh: (rejected) => credentials.refresh(rejected),
    unreachable: (error) => unreachable(name, error),
  };
  return connection;
}

/** Making a SecureContext parses every certificate: it is kept as long as its parts stay what they are. */
function secureContexts({ settings, context }: Cluster) {
  let last: { parts: string; secureContext: SecureContext } | undefined;
  return async (client: { certificate: string; key: string } | undefined): Promise<SecureContext> => {
    const data = settings['certificate-authority-data'];
    const file = settings['certificate-authority'];
    let ca: string | undefined;
    try {
      ca = data ? Buffer.from(data, 'base64').toString('utf8') : file ? await readFile(file, 'utf8') : undefined;
    } catch (error) {
      throw new KipError(
        'usage',
        `The certificate authority of context "${context}", ${file}, cannot be read (${(error as NodeJS.ErrnoException).code}).`,
        { hint: 'Mend the kubeconfig, or fetch a new one.' },
      );
    }
    const parts = JSON.stringify([ca, client]);
    if (last?.parts === parts) return last.secureContext;
    try {
      // Like Go, trust any certificate of the bundle, an intermediate or the server's own too.
      const secureContext = createSecureContext({ ca, cert: client?.certificate, key: client?.key, allowPartialTrustChain: true });
      last = { parts, secureContext };
      return secureContext;
    } catch (error) {
      throw new KipError('usage', `The certificates of context "${context}" cannot be read (${(error as NodeJS.ErrnoException).code}).`, {
        hint: 'certificate-authority, client-certificate and client-key must be PEM; mend the kubeconfig.',
      });
    }
  };
}
