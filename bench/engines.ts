import { readdirSync, readFileSync } from 'node:fs';
import { compared, type Measurement } from './measurement.ts';
import { kip, servingProcess } from './programs.ts';
import { timed } from './sampling.ts';

/** What the embedded cluster gets from the network or makes itself; the others need a program that the machine may not have. */
const types = ['postgres', 'mysql', 'redis', 'rabbitmq', 'minio'];

/** Each engine on the embedded cluster: from `kip service add` to Ready with its programs there, and the memory it has then. */
export async function benchEngines(env: NodeJS.ProcessEnv, home: string): Promise<Measurement[]> {
  const cluster = servingProcess(home)!;
  const times: Record<string, number> = {};
  const memories: Record<string, number> = {};
  for (const type of types) {
    const add = (): Promise<string> => kip(['service', 'add', type, '--name', `bench-${type}`, '--timeout', '15m'], env);
    const remove = (): Promise<string> => kip(['service', 'delete', `bench-${type}`, '--delete-data'], env);
    // Fetches the programs.
    await add();
    await remove();
    const before = new Set(descendantsOf(cluster));
    times[type] = await timed(add);
    memories[type] = descendantsOf(cluster)
      .filter((pid) => !before.has(pid))
      .reduce((sum, pid) => sum + shareOfMemory(pid), 0);
    await remove();
  }
  return types.flatMap((type) => [
    compared(`embedded cluster: service add ${type} until Ready`, times[type]!, 'ms', { name: 'postgres', value: times['postgres']! }),
    compared(`embedded cluster: memory of ${type}`, memories[type]!, 'MiB', { name: 'postgres', value: memories['postgres']! }),
  ]);
}

function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name in parentheses may hold anything.
      parents.set(Number(name), Number(/^.*\) \S (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))![1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const isBelow = (child: number | undefined): boolean => child !== undefined && (child === pid || isBelow(parents.get(child)));
  return [...parents.keys()].filter((child) => child !== pid && isBelow(child));
}

/** Memory of a process in MiB, of what it shares with others its share: an engine of many processes shares most. */
function shareOfMemory(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1024;
}
