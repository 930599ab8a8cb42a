import { startTestCluster } from './cluster.fixture.ts';

// A whole cluster as a process of its own, to be killed.
const cluster = await startTestCluster(process.argv[2]!);
process.stdout.write('ready\n');
process.once('SIGTERM', () => {
  void cluster.close().then(() => process.exit(0));
});
