import type { ContainerLog } from './container-log.ts';
import type { SupervisedProcess } from './supervised-process.ts';

/** As much of its end as tells why a container failed, as the kubelet takes it. */
const tailLength = 2_048;
const afterExitMs = 1_000;

/** What a process writes, on its way into its container's log. */
export class ContainerOutput {
  readonly #streams: readonly SupervisedProcess['stdout'][];
  readonly #ends: readonly Promise<void>[];
  #tail = '';

  constructor({ stdout, stderr }: SupervisedProcess, log: ContainerLog) {
    this.#streams = [stdout, stderr];
    this.#ends = this.#streams.map(
      (stream, index) =>
        new Promise<void>((resolve) => {
          stream.setEncoding('utf8').on('data', (chunk: string) => {
            log.append(String(index), chunk);
            this.#tail = (this.#tail + chunk).slice(-tailLength);
          });
          stream.once('error', () => resolve());
          stream.once('close', () => resolve());
        }),
    );
  }

  /** The end of what was written. */
  get tail(): string {
    return this.#tail;
  }

  /** Resolves when everything is in the log. To be asked once the process has ended. */
  async logged(): Promise<void> {
    // A daemon that left the process group may hold them open for good.
    const timer = setTimeout(() => this.#streams.forEach((stream) => stream.destroy()), afterExitMs);
    await Promise.all(this.#ends);
    clearTimeout(timer);
  }
}
