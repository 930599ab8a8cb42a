import type { EngineClient } from '../engine.ts';
import { mongodbUri } from './uri.ts';

const uriVariable = 'KIP_MONGODB_URI';

/** MongoDB's shell takes its address as an argument, which every user of the machine can read, so it is handed a script instead. */
export const mongosh: EngineClient = {
  programs: ['mongosh'],
  command: (_, connection) => ({
    args: ['--nodb', '--shell', '--eval', `db = connect(process.env.${uriVariable}); delete process.env.${uriVariable}`],
    env: { [uriVariable]: mongodbUri(connection) },
  }),
};
