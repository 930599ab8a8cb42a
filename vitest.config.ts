import { defineConfig } from 'vitest/config';

// Brings containers of its own, with arguments that only a real node carries out; the embedded cluster's tunnels are part of the other suites.
const needsContainers = process.env['KUBECONFIG'] ? [] : ['e2e/tunnel.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['packages/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'conformance',
          include: ['conformance/**/*.test.ts'],
          globalSetup: ['conformance/support/global-setup.ts'],
          testTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude: needsContainers,
          testTimeout: 180_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
