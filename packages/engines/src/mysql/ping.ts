/** Whether a server answers: with a session, or with a refusal, which a busy server gives. */
export async function answers(options: {
  host: string;
  port: number;
  user: string;
  password: string;
  signal: AbortSignal;
}): Promise<boolean> {
  const { createConnection } = await import('mysql2');
  const { signal, ...login } = options;
  if (signal.aborted) return false;
  return new Promise((resolve) => {
    const connection = createConnection(login);
    const finish = (answer: boolean) => {
      signal.removeEventListener('abort', onAbort);
      connection.destroy();
      resolve(answer);
    };
    const onAbort = () => finish(false);
    signal.addEventListener('abort', onAbort);
    connection.on('error', () => finish(false));
    connection.connect((error) => finish(!error || (error.errno !== undefined && error.errno > 0)));
  });
}
