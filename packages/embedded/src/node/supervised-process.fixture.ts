/** Runs the program of its arguments under supervision until it is killed, noted down where a folder is given. For tests. */
import { openProcessRecords } from './process-records.ts';
import { spawnSupervised } from './supervised-process.ts';

const [records = '', path = '', file = '', ...args] = process.argv.slice(2);
const child = await spawnSupervised({ file, args, env: { PATH: path } }, { uid: undefined, gid: undefined, graceSeconds: 20 });
if (records) openProcessRecords(records).add('pod_container', child);
child.stdout.pipe(process.stdout);
child.stderr.pipe(process.stderr);
