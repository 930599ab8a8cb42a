/** Resolves when the process is asked to end. Asked again, it ends at once. */
export function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.once(signal, () => resolve());
  });
}
