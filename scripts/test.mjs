// Runs every suite: node scripts/test.mjs [ARGUMENT OF VITEST…]. Never on the cluster of KUBECONFIG, which stands in many a shell, for the
// suites make, change and delete what is on theirs. `npm run e2e` and `npm run conformance` do use it.
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

delete process.env['KUBECONFIG'];
const vitest = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules', 'vitest', 'vitest.mjs');
process.argv.splice(1, 1, vitest, 'run');
await import(pathToFileURL(vitest).href);
