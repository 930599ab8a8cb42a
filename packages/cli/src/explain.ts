import { KipError } from '@skipper/api';
import { KubeError } from '@skipper/kube';
import pc from 'picocolors';
import { printable } from './output.ts';

/** What a failed request means to the user. */
function meaningOf(error: KubeError): KipError {
  const { code, message } = error;
  if (code === 401)
    return new KipError('unauthorized', `The cluster does not accept the credentials, or they have expired: ${message}`, {
      hint: 'Log in to the cluster again, or choose another with "kip cluster use".',
      cause: error,
    });
  if (code === 403)
    return new KipError('forbidden', message, {
      hint: 'Ask an administrator of the cluster for the rights that docs/kubernetes.md lists.',
      cause: error,
    });
  if (code === 404) return new KipError('not-found', message, { cause: error });
  if (code === 409)
    return new KipError('conflict', message, { hint: 'Somebody else changed it at the same time; try again.', cause: error });
  if (code === 507) return new KipError('disk-full', message, { hint: 'Free some space and try again.', cause: error });
  return new KipError('invalid', message, { cause: error });
}

/** Messages of our own may have several lines. */
const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');

/** Says on stderr what went wrong and the mend. @returns the exit code. */
export function explain(error: unknown, verbose: boolean): number {
  const known = error instanceof KubeError ? meaningOf(error) : error;
  const colors = pc.createColors(pc.isColorSupported && process.stderr.isTTY === true);
  if (!(known instanceof KipError)) {
    process.stderr.write(
      `${colors.red('Error:')} ${printableLines((error as Error)?.message ?? String(error))}\n  This is a bug of kip; with --verbose it says more.\n`,
    );
    if (verbose) process.stderr.write(`${printableLines((error as Error)?.stack ?? '')}\n`);
    return 1;
  }
  process.stderr.write(`${colors.red('Error:')} ${printableLines(known.message)}\n`);
  if (known.hint) process.stderr.write(`  ${printableLines(known.hint)}\n`);
  if (verbose) process.stderr.write(`${printableLines(known.stack ?? '')}\n`);
  return known.code === 'usage' ? 2 : 1;
}
