import type { ServiceAccess } from '../engine.ts';

/** RabbitMQ's management HTTP API, as the administrator. https://www.rabbitmq.com/docs/http-api-reference */
export interface Management {
  /** @returns `undefined` when there is no such thing. */
  get<T>(path: readonly string[]): Promise<T | undefined>;
  put(path: readonly string[], body: object): Promise<void>;
  /** Does nothing when there is no such thing. */
  delete(path: readonly string[]): Promise<void>;
}

const requestTimeoutMs = 20_000;

export async function management({ administrator, endpoint, signal }: ServiceAccess): Promise<Management> {
  const { host, port } = await endpoint('management');
  const authorization = `Basic ${Buffer.from(`${administrator.username}:${administrator.password}`).toString('base64')}`;

  /** Every part of the path is data: names with a slash or a percent sign too. */
  async function ask(method: string, path: readonly string[], body?: object): Promise<Response | undefined> {
    const response = await fetch(`http://${host}:${port}/api/${path.map(encodeURIComponent).join('/')}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]),
    });
    if (response.ok) return response;
    const text = await response.text();
    if (response.status === 404) return undefined;
    throw new Error(`RabbitMQ answered ${response.status} to ${method} ${path.join('/')}: ${reasonIn(text)}`);
  }

  return {
    async get<T>(path: readonly string[]) {
      const response = await ask('GET', path);
      return response && ((await response.json()) as T);
    },
    async put(path, body) {
      const response = await ask('PUT', path, body);
      if (!response) throw new Error(`RabbitMQ knows nothing of ${path.join('/')}.`);
      await response.arrayBuffer();
    },
    async delete(path) {
      await (await ask('DELETE', path))?.arrayBuffer();
    },
  };
}

function reasonIn(text: string): string {
  try {
    const { reason, error } = JSON.parse(text) as { reason?: unknown; error?: unknown };
    return String(reason ?? error);
  } catch {
    return text.slice(0, 200);
  }
}
