import type { ReconcilerContext } from '../../controller.ts';
import type { AccessOptions, Reach } from './access.ts';
import type { Outcomes } from './outcomes.ts';

export interface BindingContext extends ReconcilerContext {
  reach: Reach;
  outcomes: Outcomes;
  /** How often the account of a binding that is ready is logged in with, in ms; up to a quarter more, so that they spread. */
  verifyEveryMs: number;
  /** How long an engine may take for a login and for making or removing an account, in ms. */
  loginTimeoutMs: number;
  accountTimeoutMs: number;
  stopping: AbortSignal;
}

export function toLogIn({ client, reach, loginTimeoutMs: timeoutMs, stopping }: BindingContext): AccessOptions {
  return { client, reach, timeoutMs, stopping };
}

export function toChangeAccounts({ client, reach, accountTimeoutMs: timeoutMs, stopping }: BindingContext): AccessOptions {
  return { client, reach, timeoutMs, stopping };
}

/** A driver's message, without what must not be told. */
export function withoutSecrets(error: unknown, secrets: readonly string[]): string {
  const text = (error as Error).message || String(error);
  return secrets.filter(Boolean).reduce((message, secret) => message.replaceAll(secret, '…'), text);
}
