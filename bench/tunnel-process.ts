// A tunnel in a process of its own, as `kip tunnel` is: NAMESPACE POD PORT… prints the local ports as JSON and runs until its standard input ends.
import { createClient, loadKubeconfig, openTunnel, resolveCluster } from '@skipper/kube';

const [namespace = '', pod = '', ...ports] = process.argv.slice(2);
const client = createClient(resolveCluster(await loadKubeconfig()));
const tunnels = await Promise.all(ports.map((port) => openTunnel(client, { namespace, pod, port: Number(port), localPort: 0 })));
process.stdout.write(`${JSON.stringify(tunnels.map(({ localPort }) => localPort))}\n`);
process.stdin.resume().once('end', () => process.exit());
