import { defineConfig } from 'vitest/config';

const onRealCluster = Boolean(process.env['KUBECONFIG']);
// The tunnel suite brings containers of its own, with arguments that only a real node carries out; the others start, stop and kill the
// embedded cluster.
const ofTheOtherCluster = onRealCluster ? ['e2e/durability.test.ts', 'e2e/life-cycle.test.ts'] : ['e2e/tunnel.test.ts'];
// The operator from its image: there is one to run where somebody has brought it.
if (!process.env['E2E_OPERATOR_IMAGE']) ofTheOtherCluster.push('e2e/in-cluster.test.ts');

export default defineConfig({
  test: {
    testTimeout: 180_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 10_000 } },
    // More than a small machine has cores: most of these tests wait for engines, clusters and timers.
    maxWorkers: 3,
    projects: [
      { extends: true, test: { name: 'unit', include: ['packages/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      {
        extends: true,
        test: {
          name: 'conformance',
          include: ['conformance/**/*.test.ts'],
          globalSetup: ['conformance/support/global-setup.ts'],
          testTimeout: 400_000,
          hookTimeout: 400_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude: ofTheOtherCluster,
          // Longer than what a test waits for by itself: several pods in turn, each by a kubelet that is busy with others.
          testTimeout: 600_000,
          hookTimeout: 600_000,
          // A file has an embedded cluster of its own; on one that is given, a single operator can lead.
          fileParallelism: !onRealCluster,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
