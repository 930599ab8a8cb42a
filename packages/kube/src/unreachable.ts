import { KipError } from '@skipper/api';

/** What a person calls a cluster: its address and the context that led there. */
export interface ClusterName {
  readonly context: string;
  /** Base URL of the API server. */
  readonly server: URL;
}

/** A failure to establish a connection: nothing of a request was sent yet, so any request may be sent again. */
export class DialError extends Error {
  override readonly name = 'DialError';

  constructor(cause: unknown) {
    super('no connection', { cause });
  }
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed',
  EPIPE: 'the connection was closed',
  ENOTFOUND: 'its host name is unknown',
  EAI_AGAIN: 'its host name cannot be looked up',
  ETIMEDOUT: 'it does not answer in time',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
};

/** Codes of OpenSSL's certificate checks, and Node's for the name. https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes */
const certificateProblems: Record<string, string> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet; the clock of this machine may be wrong',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is self-signed and not the one that the kubeconfig trusts',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not the one that the kubeconfig trusts',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not the one that the kubeconfig trusts',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not the one that the kubeconfig trusts',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its authority is not the one that the kubeconfig trusts',
  CERT_SIGNATURE_FAILURE: 'its authority is not the one that the kubeconfig trusts',
  CERT_UNTRUSTED: 'its authority is not trusted',
  CERT_REVOKED: 'it has been revoked',
  CERT_CHAIN_TOO_LONG: 'its chain is too long',
  INVALID_CA: 'its authority may not sign it',
  INVALID_PURPOSE: 'it is not meant for a server',
  ERR_TLS_CERT_ALTNAME_INVALID: 'it is for another host name',
};

/**
 * The error for a request that got no answer.
 * @returns KipError `unreachable` that names the server and the context; `error` itself when that is what it is already.
 */
export function unreachable({ context, server }: ClusterName, error: unknown): KipError {
  const cause = error instanceof DialError ? error.cause : error;
  if (cause instanceof KipError) return cause;
  const { code, message } = describe(cause);
  const name = `The cluster of context "${context}" (${server.origin})`;
  const problem = certificateProblems[code];
  if (problem) {
    return new KipError('unreachable', `${name} has a certificate problem: ${problem} (${code}).`, {
      hint: 'Check certificate-authority, tls-server-name and server in the kubeconfig, or fetch a new kubeconfig for this cluster.',
      cause,
    });
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || (code === 'EPROTO' && /wrong version number/i.test(message))) {
    return new KipError('unreachable', `${name} does not speak TLS.`, {
      hint: 'Check the port and the scheme (http or https) of server in the kubeconfig.',
      cause,
    });
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_OSSL_') || code === 'EPROTO') {
    return new KipError('unreachable', `${name} has a certificate problem: the TLS handshake failed (${code}).`, {
      hint: 'Check client-certificate, client-key and certificate-authority in the kubeconfig.',
      cause,
    });
  }
  return new KipError('unreachable', `${name} does not answer: ${reasons[code] ?? message}.`, {
    hint: 'Check that the cluster runs and that this machine reaches it; another context may be the one you mean.',
    cause,
  });
}

/** A connection tried over several addresses fails with all their errors at once: the first one tells. */
function describe(error: unknown): { code: string; message: string } {
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0]);
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const { code } = error as NodeJS.ErrnoException;
  return { code: typeof code === 'string' ? code : '', message: error.message };
}
