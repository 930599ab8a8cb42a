import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['packages/**/*.test.ts'] } },
      { extends: true, test: { name: 'conformance', include: ['conformance/**/*.test.ts'], globalSetup: ['conformance/support/global-setup.ts'], testTimeout: 60_000, fileParallelism: false } },
      { extends: true, test: { name: 'e2e', include: ['e2e/**/*.test.ts'], testTimeout: 180_000, hookTimeout: 300_000, fileParallelism: false } },
    ],
  },
});
