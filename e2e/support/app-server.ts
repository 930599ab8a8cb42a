import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import type { Place, Store } from './stores/store.ts';

/** The app that the tests deploy: it keeps a text in the services that its variables name, and says over HTTP what it sees. */
export function serve(stores: Record<string, Store>): void {
  const { env } = process;
  const placeOf = ({ prefix, part }: Store): Place => {
    const value = (name: string): string => {
      const found = env[`${prefix}_${name}`];
      if (found === undefined) throw new Error(`there is no variable ${prefix}_${name}`);
      return found;
    };
    return {
      host: value('HOST'),
      port: Number(value('PORT')),
      username: value('USERNAME'),
      password: value('PASSWORD'),
      database: value(part),
    };
  };
  const answers: Record<string, (type: string, body: string, query: URLSearchParams) => Promise<unknown>> = {
    '/': async () => ({ pid: process.pid, host: hostname(), started }),
    // Names only: values are secret.
    '/variables': async () => Object.keys(env).sort(),
    '/write': async (type, body) => stores[type]!.write(placeOf(stores[type]!), body),
    '/read': async (type) => (await stores[type]!.read(placeOf(stores[type]!))) ?? null,
    // As another app's account would: with this app's own login, at another's part.
    '/read-at': async (type, _body, query) =>
      (await stores[type]!.read({ ...placeOf(stores[type]!), database: query.get('database')! })) ?? null,
    '/calls': async () => calls,
  };
  const started = Date.now();
  const calls = { done: 0, failed: 0, failures: [] as string[] };
  if (env['CALL_URL']) void callForever(env['CALL_URL'], calls);
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://app');
    try {
      const answer = answers[url.pathname];
      const result = answer ? await answer(url.searchParams.get('type') ?? '', await text(request), url.searchParams) : undefined;
      response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(result ?? null));
    } catch (error) {
      response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: String((error as Error).message) }));
    }
  });
  server.listen(Number(env['PORT'] ?? 8080), env['HOST'] ?? '0.0.0.0', () => console.log(`listening as ${hostname()}`));
  // As a well-behaved server: what has been begun is finished.
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

async function callForever(url: string, calls: { done: number; failed: number; failures: string[] }): Promise<void> {
  for (;;) {
    try {
      // A connection each, as a balancer without memory would make them.
      const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`answered ${response.status}`);
      calls.done += 1;
    } catch (error) {
      calls.failed += 1;
      if (calls.failures.length < 20)
        calls.failures.push(`${(error as Error).message} ${String((error as { cause?: Error }).cause?.message ?? '')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
