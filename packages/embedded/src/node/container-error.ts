/** A container cannot start until something about its pod is mended; `reason` is the waiting state's. */
export class ContainerError extends Error {
  override readonly name = 'ContainerError';
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}
