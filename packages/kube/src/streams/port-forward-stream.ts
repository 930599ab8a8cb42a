import { SpdyStream } from './spdy-stream.ts';
import type { SpdySession } from './spdy-session.ts';

/** How the server words a connection that never reached the port: containerd, CRI-O, dockershim, and the embedded cluster. */
const neverConnected =
  /connection refused|connect E[A-Z]+|failed to (?:dial|connect)|unable to do port forwarding|network namespace|sandbox|is not running|no such container|container not found/i;

/** Of an error's text, in bytes. */
const errorTextLimit = 4096;

/** How long the error stream's text is waited for after the data stream's end, in ms: servers write it first. */
const errorGraceMs = 200;

/** One connection to the pod failed. */
export class PortForwardError extends Error {
  override readonly name = 'PortForwardError';
  /** Whether bytes may have reached the pod. When not, the connection can be tried again without doing anything twice. */
  readonly delivered: boolean;
  constructor(message: string, delivered: boolean, cause?: unknown) {
    super(message, { cause });
    this.delivered = delivered;
  }
}

/**
 * One connection to a port of the pod: a stream for its bytes and one on which the server says what went wrong
 * (`portforward.k8s.io`). It may be written before there is a session.
 */
export class PortForwardStream extends SpdyStream {
  readonly #errors: SpdyStream;
  readonly #port: number;
  #errorText = '';
  #received = false;

  constructor(port: number, requestId: number) {
    const headers = { port: String(port), requestid: String(requestId) };
    super({ ...headers, streamtype: 'data' });
    this.#port = port;
    this.#errors = new SpdyStream({ ...headers, streamtype: 'error' });
    this.#errors.on('data', (text: Buffer) => (this.#errorText = (this.#errorText + text.toString()).slice(0, errorTextLimit)));
    this.#errors.once('end', () => {
      if (this.#errorText !== '') this.#fail();
    });
  }

  /** Announces both streams at once; nothing waits for the server's replies. */
  openOn(session: SpdySession): void {
    session.openStream(this.#errors);
    this.#errors.end();
    session.openStream(this);
  }

  /** Ends the stream because there is or was no session for it. */
  failWith(cause: Error): void {
    this.destroy(new PortForwardError(`the connection to port ${this.#port} failed: ${cause.message}`, this.#mayHaveDelivered(), cause));
  }

  override receive(bytes: Buffer, fin: boolean): void {
    if (bytes.length > 0) this.#received = true;
    super.receive(bytes, fin);
  }

  override abandon(error: Error): void {
    super.abandon(new PortForwardError(`the connection to port ${this.#port} broke: ${error.message}`, this.#mayHaveDelivered(), error));
  }

  protected override ended(): void {
    if (this.#errors.readableEnded || this.#errors.destroyed) {
      if (this.#errorText === '') this.push(null);
      return;
    }
    const grace = setTimeout(() => this.push(null), errorGraceMs);
    this.#errors.once('close', () => {
      clearTimeout(grace);
      if (this.#errorText === '') this.push(null);
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#errors.destroy();
    super._destroy(error, done);
  }

  #fail(): void {
    this.failAfterReading(new PortForwardError(this.#errorText.trim(), this.#received || !neverConnected.test(this.#errorText)));
  }

  #mayHaveDelivered(): boolean {
    return this.#received || this.sentBytes > 0;
  }
}
