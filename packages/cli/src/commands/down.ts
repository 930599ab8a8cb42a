import { stopRunning } from '../embedded-process.ts';
import { print, startProgress } from '../output.ts';

/** `kip down` */
export async function down(): Promise<void> {
  const progress = startProgress();
  progress.update('stopping the embedded cluster and its services');
  const stopped = await stopRunning().finally(() => progress.done());
  print(stopped ? 'The embedded cluster is stopped; everything is kept.' : 'The embedded cluster was not running.');
}
