/** Runs the program of its arguments under supervision until it is killed. For tests. */
import { spawnSupervised } from './supervised-process.ts';

const [path = '', file = '', ...args] = process.argv.slice(2);
const child = await spawnSupervised({ file, args, env: { PATH: path } }, { uid: undefined, gid: undefined, graceSeconds: 20 });
child.stdout.pipe(process.stdout);
child.stderr.pipe(process.stderr);
