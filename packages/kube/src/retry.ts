import { KipError } from '@skipper/api';
import { backoffMs, pause } from './backoff.ts';
import { DialError } from './unreachable.ts';
import { TransportError, type HttpAnswer } from './http.ts';

/** How often and how long; the defaults are for people who wait. */
const mostTries = 5;
/** A server that asks for more is not waited for: the caller is told how long. */
const longestRetryAfterMs = 30_000;
/** A refused connection is tried again this often only: when nothing listens, a person wants to know soon. */
const mostDials = 3;

/**
 * Sends a request until it is answered for good. Repeated are: what the server asks to send again (`Retry-After` with 429 or
 * 5xx), any request that certainly was not processed (no connection), and, when `safe`, what got no answer or 500, 502, 503 or 504.
 * @param safe whether sending twice does the same as sending once
 * @returns the last answer, whatever its status
 */
export async function withRetries(
  send: () => Promise<HttpAnswer>,
  { safe = false, signal }: { safe?: boolean; signal?: AbortSignal },
): Promise<HttpAnswer> {
  let stale = 0;
  for (let attempt = 0; ; attempt += 1) {
    const last = attempt >= mostTries - 1;
    try {
      const answer = await send();
      const waitMs = answerDelayMs(answer, safe, attempt);
      if (waitMs === undefined || last) return answer;
      await pause(waitMs, signal);
    } catch (error) {
      signal?.throwIfAborted();
      // Every kept connection may be one that the server has closed meanwhile; the next one is as good as new.
      if (error instanceof TransportError && error.stale && safe && (stale += 1) < 50) {
        attempt -= 1;
        continue;
      }
      if (last || !mayRepeat(error, safe, attempt)) throw error;
      await pause(backoffMs(attempt), signal);
    }
  }
}

function answerDelayMs({ status, headers }: HttpAnswer, safe: boolean, attempt: number): number | undefined {
  if (status !== 429 && status < 500) return undefined;
  const asked = retryAfterMs(headers['retry-after']);
  if (asked !== undefined) return asked > longestRetryAfterMs ? undefined : Math.max(asked, backoffMs(attempt));
  return safe && [500, 502, 503, 504].includes(status) ? backoffMs(attempt) : undefined;
}

function mayRepeat(error: unknown, safe: boolean, attempt: number): boolean {
  if (error instanceof DialError) return attempt < mostDials - 1 && ['ECONNREFUSED', 'ECONNRESET'].includes(codeOf(error.cause));
  return error instanceof TransportError && safe && codeOf(error.cause) !== 'ETIMEDOUT';
}

function codeOf(error: unknown): string {
  if (error instanceof KipError && error.cause !== undefined) return codeOf(error.cause);
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  return String((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}

/** The header's seconds or date in ms from now; `undefined` when there is none. https://www.rfc-editor.org/rfc/rfc9110#name-retry-after */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
