import { defineConfig } from 'vitest/config';

const onRealCluster = Boolean(process.env['KUBECONFIG']);
/** What tries an operator: on a given cluster it has to be the only one. */
const operatorSuites = ['e2e/operator.test.ts', 'e2e/app-operator.test.ts', 'e2e/in-cluster.test.ts'];
// The tunnel suite brings containers of its own, with arguments that only a real node carries out; the durability suite kills the
// embedded cluster.
const ofTheOtherCluster = onRealCluster ? ['e2e/durability.test.ts'] : ['e2e/tunnel.test.ts'];
// The operator from its image: there is one to run where somebody has brought it.
if (!process.env['E2E_OPERATOR_IMAGE']) ofTheOtherCluster.push('e2e/in-cluster.test.ts');

const timeouts = { testTimeout: 180_000, hookTimeout: 300_000 };

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
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
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude: [...operatorSuites, ...ofTheOtherCluster],
          ...timeouts,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e-operator',
          include: operatorSuites,
          exclude: ofTheOtherCluster,
          ...timeouts,
          fileParallelism: !onRealCluster,
          // On the embedded cluster each suite has one of its own, so that they need not wait for the others.
          sequence: { groupOrder: onRealCluster ? 3 : 2 },
        },
      },
    ],
  },
});
