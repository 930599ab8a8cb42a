import { compared, type Measurement } from './measurement.ts';
import { kip, kubectl, run } from './programs.ts';
import { interleaved } from './sampling.ts';

const rounds = 15;

/** Whole processes from start to end, beside Node's own start. `list` asks the cluster of KUBECONFIG in `env`. */
export async function benchStartup(env: NodeJS.ProcessEnv, kubeconfig: string): Promise<Measurement[]> {
  const hasKubectl = await run(kubectl, ['version', '--client']).then(
    () => true,
    () => false,
  );
  const ms = await interleaved(rounds, {
    node: () => run(process.execPath, ['-e', '0']),
    help: () => kip(['--help'], env),
    list: () => kip(['service', 'list'], env),
    kubectl: () => (hasKubectl ? run(kubectl, ['--kubeconfig', kubeconfig, 'get', 'pods']) : Promise.resolve()),
  });
  const floor = { name: 'node -e 0', value: ms.node };
  return [
    compared('kip --help', ms.help, 'ms', floor, '≤ 1.3'),
    compared('kip service list', ms.list, 'ms', floor, '≤ 1.7'),
    ...(hasKubectl ? [compared('kubectl get pods', ms.kubectl, 'ms', floor)] : []),
  ];
}
