/**
 * Every failure that a user can meet has one of these codes. Callers match the code, never the text.
 * `usage` ends `kip` with exit code 2, every other code with 1.
 */
export const errorCodes = {
  usage: 'The command line or an input value is wrong; nothing was attempted.',
  'no-cluster': 'No cluster is chosen and none is running.',
  unreachable: 'The cluster does not answer.',
  unauthorized: 'The cluster does not accept the credentials, or they have expired.',
  forbidden: 'The credentials are valid but do not allow this.',
  'not-found': 'The named object does not exist.',
  'already-exists': 'An object of this name exists already.',
  'not-ours': 'An object of this name exists and was not made by Skipper.',
  conflict: 'Somebody else changed the object at the same time.',
  invalid: 'The cluster refused the object as invalid.',
  'needs-confirmation': 'The command destroys or interrupts something and was not given the flag that allows it.',
  'no-operator': 'No operator looks after services on this cluster.',
  timeout: 'The wanted state was not reached in time.',
  stalled: 'The wanted state will not be reached until somebody changes something.',
  'port-in-use': 'The local port is taken.',
  'engine-unavailable': 'The program of an engine cannot be had on this machine.',
  'disk-full': 'There is no space left where data is written.',
  damaged: 'Data on disk cannot be trusted any more.',
  locked: 'Another process uses the same data folder.',
  unsupported: 'This cluster or platform cannot do what was asked.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface KipErrorOptions {
  /** What the user can do about it, as a sentence. */
  hint?: string;
  cause?: unknown;
}

/** A failure that was foreseen: it says what happened, to which object, and the mend. An error of any other class is our bug. */
export class KipError extends Error {
  override readonly name: string = 'KipError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: KipErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** Whether `error` is a {@link KipError} with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is KipError {
  return error instanceof KipError && error.code === code;
}
