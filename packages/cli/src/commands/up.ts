import { embeddedKubeconfig } from '../home.ts';
import { ensureRunning } from '../embedded-process.ts';
import { colors, note, print, startProgress } from '../output.ts';

/** `kip up` */
export async function up(): Promise<void> {
  const progress = startProgress();
  progress.update('starting the embedded cluster');
  const running = await ensureRunning().finally(() => progress.done());
  print(`  ${colors.green('✔')}  The embedded cluster ${running.started ? 'is up' : 'was up already'}: ${running.server}`);
  note(`  kubectl works on it: export KUBECONFIG=${embeddedKubeconfig()}`);
  note('  Next: kip service add postgres --name mydb');
}
