import { BlockList, connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { KipError } from '@skipper/api';
import { established, hostOf } from './socket.ts';

/** A host and port to reach. */
export interface Target {
  host: string;
  port: number;
}

/**
 * The proxy to the server: the cluster's own, else the environment's HTTPS_PROXY (HTTP_PROXY for an http server) unless
 * NO_PROXY covers the server. As in kubectl, this machine is never reached through the environment's proxy.
 * @throws KipError `usage` for a URL that is no proxy's; it does not quote the URL, which may hold a password
 */
export function proxyFor(server: URL, proxyUrl: string | undefined, env: NodeJS.ProcessEnv, context: string): URL | undefined {
  if (proxyUrl) return parseProxy(proxyUrl, `The proxy-url of context "${context}"`);
  const variable = server.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const value = env[variable] || env[variable.toLowerCase()];
  if (!value || bypassesProxy(server, env['NO_PROXY'] || env['no_proxy'] || '')) return undefined;
  return parseProxy(value.includes('://') ? value : `http://${value}`, `The environment variable ${variable}`);
}

const proxyProtocols = ['http:', 'https:', 'socks5:', 'socks5h:'];

function parseProxy(text: string, what: string): URL {
  if (URL.canParse(text)) {
    const url = new URL(text);
    if (proxyProtocols.includes(url.protocol) && url.hostname) return url;
  }
  throw new KipError('usage', `${what} is not the URL of a proxy.`, { hint: 'It begins with http://, https:// or socks5://.' });
}

/** Whether NO_PROXY covers the server: names (with their subdomains), addresses, ranges, each with an optional port; `*` is all. */
export function bypassesProxy(server: URL, noProxy: string): boolean {
  const host = hostOf(server).toLowerCase();
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return true;
  const port = server.port || (server.protocol === 'https:' ? '443' : '80');
  return noProxy
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true;
      const [, name, onlyPort] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase())!;
      // An IPv6 address ends in something that looks like a port.
      if (isIP(entry)) return entry.toLowerCase() === host;
      if (onlyPort && onlyPort !== port) return false;
      const bare = name!.replace(/^\[(.*)\]$/, '$1').replace(/^\*/, '');
      if (bare.includes('/')) return inRange(host, bare);
      return bare.startsWith('.') ? host.endsWith(bare) : host === bare || host.endsWith(`.${bare}`);
    });
}

function inRange(host: string, range: string): boolean {
  const family = isIP(host);
  const [network = '', prefix = ''] = range.split('/');
  if (!family || isIP(network) !== family || !/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

const defaultPorts: Record<string, number> = { 'http:': 80, 'https:': 443, 'socks5:': 1080, 'socks5h:': 1080 };

/** A connection to `target` through `proxy`, ready for the first byte to the target. */
export async function connectThroughProxy(proxy: URL, target: Target, signal: AbortSignal): Promise<Socket> {
  const host = hostOf(proxy);
  const name = `The proxy ${host}`;
  const fail = (message: string, cause?: unknown): KipError =>
    new KipError('unreachable', `${name} ${message}.`, {
      hint: 'Check proxy-url in the kubeconfig, or HTTPS_PROXY and NO_PROXY in the environment.',
      cause,
    });
  let socket: Socket | undefined;
  try {
    socket = await established(connect({ host, port: Number(proxy.port || defaultPorts[proxy.protocol]) }), 'connect', signal);
    if (proxy.protocol === 'https:')
      socket = await established(
        connectTls({ socket, host, servername: isIP(host) ? '' : host, ALPNProtocols: ['http/1.1'] }),
        'secureConnect',
        signal,
      );
  } catch (error) {
    signal.throwIfAborted();
    throw fail(`does not answer (${(error as NodeJS.ErrnoException).code ?? 'no connection'})`, error);
  }
  const reader = new HandshakeReader(socket, signal);
  try {
    const refusal = await (proxy.protocol.startsWith('socks5')
      ? socks5(socket, reader, proxy, target)
      : httpConnect(socket, reader, proxy, target));
    if (refusal) throw fail(refusal);
    reader.release();
    return socket;
  } catch (error) {
    socket.on('error', () => {}).destroy();
    signal.throwIfAborted();
    throw error instanceof KipError ? error : fail('closed the connection', error);
  }
}

/** https://www.rfc-editor.org/rfc/rfc9110#name-connect @returns why the proxy refused */
async function httpConnect(socket: Socket, reader: HandshakeReader, proxy: URL, { host, port }: Target): Promise<string | undefined> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const { username, password } = account(proxy);
  const authorization = username ? `Proxy-Authorization: Basic ${Buffer.from(`${username}:${password}`).toString('base64')}\r\n` : '';
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`);
  const head = await reader.until('\r\n\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
  if (status === '407') return 'wants other credentials';
  return status?.startsWith('2') ? undefined : `refused to connect to ${authority}${status ? ` (${status})` : ''}`;
}

const socksRefusals = [
  '',
  'failed',
  'does not allow it',
  'has no route to its network',
  'has no route to its host',
  'found the connection refused',
  'ran out of time',
];

/** https://www.rfc-editor.org/rfc/rfc1928 and rfc1929; the proxy looks the name up. @returns why the proxy refused */
async function socks5(socket: Socket, reader: HandshakeReader, proxy: URL, { host, port }: Target): Promise<string | undefined> {
  const { username, password } = account(proxy);
  const methods = username ? [0, 2] : [0];
  socket.write(Buffer.from([5, methods.length, ...methods]));
  const [version, method] = await reader.bytes(2);
  if (version !== 5) return 'does not speak SOCKS5';
  if (method === 2) {
    const [user, secret] = [Buffer.from(username), Buffer.from(password)];
    socket.write(Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([secret.length]), secret]));
    if ((await reader.bytes(2))[1] !== 0) return 'wants other credentials';
  } else if (method !== 0) return 'wants other credentials';
  socket.write(Buffer.concat([Buffer.from([5, 1, 0]), socksAddress(host), Buffer.from([port >> 8, port & 0xff])]));
  const [, reply = 1, , addressType] = await reader.bytes(4);
  if (reply !== 0) return `cannot connect to ${host}:${port}: it ${socksRefusals[reply] ?? 'failed'}`;
  const length = addressType === 1 ? 4 : addressType === 4 ? 16 : (await reader.bytes(1))[0]!;
  await reader.bytes(length + 2);
  return undefined;
}

function socksAddress(host: string): Buffer {
  if (isIP(host) === 4) return Buffer.from([1, ...host.split('.').map(Number)]);
  // An IPv6 address is sent as text, which proxies look up without a resolver.
  const name = Buffer.from(host);
  return Buffer.concat([Buffer.from([3, name.length]), name]);
}

function account({ username, password }: URL): { username: string; password: string } {
  return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
}

/** More than any proxy's answer to CONNECT. */
const handshakeLimit = 64 * 1024;

/** Reads exactly what a handshake wants and leaves the rest in the socket. */
class HandshakeReader {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  #held = Buffer.alloc(0);
  #wake: (() => void) | undefined;
  #ended: unknown;

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    socket.on('data', this.#onData).on('error', this.#onEnd).on('close', this.#onEnd).on('end', this.#onEnd);
    signal.addEventListener('abort', this.#onEnd);
  }

  async bytes(count: number): Promise<Buffer> {
    await this.#wait(() => this.#held.length >= count);
    return this.#take(count);
  }

  /** The text up to and with `mark`. */
  async until(mark: string): Promise<string> {
    await this.#wait(() => this.#held.includes(mark));
    return this.#take(this.#held.indexOf(mark) + mark.length).toString('latin1');
  }

  release(): void {
    this.#socket.off('data', this.#onData).off('error', this.#onEnd).off('close', this.#onEnd).off('end', this.#onEnd).pause();
    this.#signal.removeEventListener('abort', this.#onEnd);
    if (this.#held.length > 0) this.#socket.unshift(this.#held);
  }

  #take(count: number): Buffer {
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  async #wait(enough: () => boolean): Promise<void> {
    while (!enough()) {
      if (this.#ended !== undefined || this.#held.length > handshakeLimit)
        throw new Error('the handshake ended early', { cause: this.#ended });
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#held = Buffer.concat([this.#held, chunk]);
    this.#wake?.();
  };

  readonly #onEnd = (cause?: unknown): void => {
    this.#ended ??= cause ?? true;
    this.#wake?.();
  };
}
