import { request as requestHttp, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** An answer that is no content. */
export class HttpStatusError extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** A redirect that is not followed. */
export class RedirectRefused extends Error {}

export interface GetOptions {
  headers: Record<string, string>;
  signal: AbortSignal;
  /** How long the server may take to answer, in ms. */
  answerMs: number;
}

const mostRedirects = 10;
const redirects = new Set([301, 302, 303, 307, 308]);

/**
 * The answer with an address's content as the server holds it, not decoded, after redirects and through the proxy that the
 * environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`). Node's own `fetch` knows no proxy before Node 24 and decodes archives
 * that a server calls encoded.
 * @throws {HttpStatusError} for anything but 200 and 206.
 */
export async function httpGet(url: URL, options: GetOptions): Promise<IncomingMessage> {
  let at = url;
  for (let followed = 0; followed <= mostRedirects; followed += 1) {
    const response = await send(at, options);
    const { statusCode = 0, statusMessage = '' } = response;
    if (statusCode === 200 || statusCode === 206) return response;
    response.destroy();
    const { location } = response.headers;
    if (!redirects.has(statusCode) || location === undefined)
      throw new HttpStatusError(`${shown(at)} answers ${`${statusCode} ${statusMessage}`.trim()}`, statusCode);
    at = redirected(at, location);
  }
  throw new RedirectRefused(`${shown(url)} redirects more than ${mostRedirects} times`);
}

/** Without the name and password that an address can hold. */
export function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function redirected(from: URL, location: string): URL {
  if (!URL.canParse(location, from.href)) throw new RedirectRefused(`${shown(from)} redirects to something that is no address`);
  const to = new URL(location, from);
  if (to.protocol === from.protocol || to.protocol === 'https:') {
    // Credentials are for the host that they were written for.
    if (to.host === from.host) [to.username, to.password] = [from.username, from.password];
    return to;
  }
  throw new RedirectRefused(`${shown(from)} redirects to ${shown(to)}, which is not as safe`);
}

async function send(url: URL, { headers, signal, answerMs }: GetOptions): Promise<IncomingMessage> {
  const timedOut = AbortSignal.timeout(answerMs);
  const until = AbortSignal.any([signal, timedOut]);
  try {
    const options: RequestOptions = {
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'kip', ...authorization('authorization', url), ...headers },
      agent: false,
    };
    const proxy = proxyFor(url);
    if (proxy === undefined) return await answer(requestOf(url)(plain(url), options), until);
    if (url.protocol === 'http:')
      return await answer(
        requestOf(proxy)(plain(proxy), {
          ...options,
          path: plain(url).href,
          headers: { ...(options.headers as Record<string, string>), host: url.host, ...authorization('proxy-authorization', proxy) },
        }),
        until,
      );
    const socket = await tunnel(url, proxy, until);
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    try {
      return await answer(
        requestHttps(plain(url), {
          ...options,
          // With any agent, a new one for `false` too, Node connects by that agent and ignores the request's own way.
          agent: undefined,
          // Which an agent would know.
          defaultPort: 443,
          createConnection: () => connectTls({ socket, host, servername: isIP(host) ? '' : host, ALPNProtocols: ['http/1.1'] }),
        }),
        until,
      );
    } catch (error) {
      socket.destroy();
      throw error;
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (timedOut.aborted) throw new Error(`${shown(url)} did not answer within ${answerMs / 1000} s`, { cause: error });
    const { message, code } = error as { message?: string; code?: string };
    throw new Error(`${shown(url)} is not reached: ${message || code}`, { cause: error });
  }
}

function requestOf(url: URL): (url: URL, options: RequestOptions) => ClientRequest {
  return url.protocol === 'https:' ? requestHttps : requestHttp;
}

/** Without credentials, which Node would take for a header of its own making. */
function plain(url: URL): URL {
  const bare = new URL(url);
  bare.username = bare.password = '';
  return bare;
}

function authorization(header: string, { username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { [header]: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** Ends when `signal` says so until there is an answer; what comes of the answer is for whoever reads it. */
function answer(request: ClientRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => void request.destroy(signal.reason as Error);
    const settled = (): void => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    request.on('error', (error) => {
      settled();
      reject(error);
    });
    request.on('response', (response) => {
      settled();
      resolve(response);
    });
    request.end();
  });
}

function tunnel(url: URL, proxy: URL, signal: AbortSignal): Promise<Socket> {
  const target = `${url.hostname}:${url.port || 443}`;
  return new Promise((resolve, reject) => {
    const request = requestOf(proxy)(plain(proxy), {
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...authorization('proxy-authorization', proxy) },
      agent: false,
      signal,
    });
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy ${shown(proxy)} answers ${response.statusCode}`));
    });
    request.on('response', (response) => {
      response.destroy();
      reject(new Error(`the proxy ${shown(proxy)} answers ${response.statusCode}`));
    });
    request.on('error', reject);
    request.end();
  });
}

/** As curl reads the environment: https://curl.se/docs/manpage.html#ENVIRONMENT */
function proxyFor(url: URL): URL | undefined {
  const variable = (name: string): string => process.env[name] || process.env[name.toUpperCase()] || '';
  const proxy = variable(url.protocol === 'https:' ? 'https_proxy' : 'http_proxy');
  if (proxy === '' || isExempt(url.hostname, variable('no_proxy'))) return undefined;
  const address = proxy.includes('://') ? proxy : `http://${proxy}`;
  if (!URL.canParse(address)) throw new Error('the proxy that the environment names is no address');
  return new URL(address);
}

function isExempt(host: string, list: string): boolean {
  return list
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => entry === '*' || host === entry || host.endsWith(entry.startsWith('.') ? entry : `.${entry}`));
}
