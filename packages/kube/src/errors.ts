import type { Status } from 'kubernetes-types/meta/v1.d.ts';

/** An answer of the API server that is a failure: the Kubernetes `Status` as an error. Match {@link reason}, never the message. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** HTTP status code. */
  readonly code: number;
  /** For example `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Forbidden`, `Unauthorized`, `Expired`; empty when the server gave none. */
  readonly reason: string;
  readonly status: Status;
  /** What the server asked to wait before another try. */
  readonly retryAfterMs: number | undefined;

  constructor(code: number, status: Status, retryAfterMs?: number) {
    super(status.message || `the server answered ${code}`);
    this.code = code;
    this.reason = status.reason ?? '';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whether `error` is a KubeError with one of these reasons. */
export function hasReason(error: unknown, ...reasons: string[]): error is KubeError {
  return error instanceof KubeError && reasons.includes(error.reason);
}

/** Whether something was not made because its namespace is on its way out, from which none returns. */
export function isNamespaceTerminating(error: unknown): boolean {
  return error instanceof KubeError && (error.status.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating');
}
