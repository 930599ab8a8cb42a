import type { IncomingMessage } from 'node:http';
import { KipError } from '@skipper/api';
import type { Status } from 'kubernetes-types/meta/v1.d.ts';
import type { ApiConnection } from './connection.ts';
import { KubeError } from './errors.ts';
import { asUnreachable, createHttpPool, type HttpAnswer, type HttpPool, type HttpRequest } from './http.ts';
import { retryAfterMs, withRetries } from './retry.ts';

/** Requests to one API server that are repeated where that is right, with credentials that are renewed, and failures as errors. */
export class ApiCalls {
  readonly #connection: ApiConnection;
  readonly #pool: HttpPool;

  constructor(connection: ApiConnection) {
    this.#connection = connection;
    this.#pool = createHttpPool(connection);
  }

  get closed(): boolean {
    return this.#pool.closed;
  }

  close(): void {
    this.#pool.close();
  }

  /** The answer's body, when it is a success. @throws KubeError for one that is none, KipError `unreachable` */
  async json<R>(call: HttpRequest): Promise<R> {
    const answer = await this.answer(call);
    if (answer.status < 200 || answer.status > 299) throw failure(answer);
    try {
      return JSON.parse(answer.body) as R;
    } catch (error) {
      throw new KipError(
        'unreachable',
        `The server ${this.#connection.server.origin} of context "${this.#connection.context}" does not answer as a Kubernetes API server.`,
        {
          hint: 'Check server and proxy-url in the kubeconfig: a login page or another service may answer at this address.',
          cause: error,
        },
      );
    }
  }

  /** The last answer, whatever its status. */
  async answer(request: HttpRequest): Promise<HttpAnswer> {
    const send = (): Promise<HttpAnswer> => withRetries(() => this.#pool.send(request), request);
    try {
      const answer = await send();
      return answer.status === 401 && (await this.#refresh(answer.authorization)) ? await send() : answer;
    } catch (error) {
      throw asUnreachable(this.#connection, error);
    }
  }

  /** What a stream that broke off is for people. */
  unreachable(cause: unknown): KipError {
    return this.#connection.unreachable(cause);
  }

  async #refresh(rejected: string | undefined): Promise<boolean> {
    const better = await this.#connection.refresh(rejected);
    if (better) this.#pool.renew();
    return better;
  }

  /** An answer that is read as it comes. Not repeated but after a 401 and on a stale connection: who streams comes back by itself. */
  async open(request: HttpRequest): Promise<IncomingMessage> {
    try {
      for (let attempt = 0; ; attempt += 1) {
        const { response, authorization } = await this.#pool.open(request);
        if (response.statusCode === 200) {
          // A quiet stream is not a dead one.
          response.socket.setTimeout(0);
          return response;
        }
        const answer = { status: response.statusCode!, headers: response.headers, body: await bodyOf(response) };
        if (answer.status !== 401 || attempt > 0 || !(await this.#refresh(authorization))) throw failure(answer);
      }
    } catch (error) {
      throw asUnreachable(this.#connection, error);
    }
  }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Reasons for answers without a Status, as the API server's own client has them. */
const reasonOf: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function failure({ status, headers, body }: Pick<HttpAnswer, 'status' | 'headers' | 'body'>): KubeError {
  return new KubeError(status, statusOf(status, body), retryAfterMs(headers['retry-after']));
}

function statusOf(code: number, body: string): Status {
  try {
    const answer = JSON.parse(body) as Status;
    if (answer?.kind === 'Status') return answer;
  } catch {
    // Something in front of the API server answered, or it did in plain text.
  }
  const text = /^\s*</.test(body) ? '' : body.trim().slice(0, 300);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    reason: reasonOf[code] ?? '',
    message: text || `the server answered ${code}`,
  };
}
