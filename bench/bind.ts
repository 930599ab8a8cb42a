import { randomBytes } from 'node:crypto';
import { compared, type Measurement } from './measurement.ts';
import { kip } from './programs.ts';
import { median, timed } from './sampling.ts';

const rounds = 5;
const server = `require('http').createServer((request, response) => response.end(process.env.DB_HOST)).listen(process.env.PORT ?? 8080, process.env.HOST)`;

/**
 * `kip service bind` of a database until the app serves with its variables, beside a rolling restart of the same app, which is what
 * any change of variables costs. An operator looks after the cluster of `env`.
 * @param image what the app runs in, on a cluster of containers
 */
export async function benchBind(cluster: string, env: NodeJS.ProcessEnv, image?: string): Promise<Measurement[]> {
  const scope = ['--project', `bench-${randomBytes(4).toString('hex')}`];
  const deploy = ['--port', '8080', '--command', `node -e "${server}"`, ...(image ? ['--image', image] : [])];
  const bound: number[] = [];
  const unbound: number[] = [];
  const restarted: number[] = [];
  try {
    await kip(['service', 'add', 'postgres', '--name', 'db', ...scope], env);
    await kip(['app', 'deploy', 'api', ...deploy, ...scope], env);
    for (let round = 0; round <= rounds; round++) {
      const bind = await timed(() => kip(['service', 'bind', 'db', 'api', ...scope], env));
      const restart = await timed(() => kip(['app', 'restart', 'api', ...scope], env));
      const unbind = await timed(() => kip(['service', 'unbind', 'db', 'api', ...scope], env));
      // The first round makes the database; the others give the app its own back.
      if (round === 0) continue;
      bound.push(bind);
      restarted.push(restart);
      unbound.push(unbind);
    }
  } finally {
    await kip(['app', 'delete', 'api', ...scope], env).catch(() => {});
    await kip(['service', 'delete', 'db', '--delete-data', ...scope], env).catch(() => {});
  }
  const floor = { name: 'a rolling restart of the app', value: median(restarted) };
  return [
    compared(`${cluster}: service bind until the app serves with it`, median(bound), 'ms', floor),
    compared(`${cluster}: service unbind until the app serves without`, median(unbound), 'ms', floor),
  ];
}
