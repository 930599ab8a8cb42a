import { CommanderError } from 'commander';
import type { GlobalOptions } from './options.ts';
import { buildProgram } from './program.ts';

/** Runs kip. @returns the exit code: 0, 1 (failed) or 2 (usage). */
export async function run(argv: string[]): Promise<number> {
  // A reader that goes away, such as head, is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`Error: the output cannot be written (${error.code}).\n`);
    process.exit(1);
  });
  const program = buildProgram(argv);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { explain } = await import('./explain.ts');
    return explain(error, program.opts<GlobalOptions>().verbose === true);
  }
}
