import type { ServerResponse } from 'node:http';
import type { KubeError } from '@skipper/kube';

export interface Answering {
  response: ServerResponse;
  /** What the client is told besides the answer. */
  warnings: string[];
}

/** Answers with JSON. */
export function answer({ response, warnings }: Answering, code: number, body: object): void {
  const text = JSON.stringify(body);
  const headers = warnings.slice(0, 20).map((warning) => `299 - ${JSON.stringify(warning.slice(0, 250)).replace(/[^\x20-\x7e]/g, '?')}`);
  if (headers.length > 0) response.setHeader('Warning', headers);
  response.writeHead(code, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-cache, private',
  });
  response.end(text);
}

/** Answers with a Status; a watch or a log that has begun is cut off instead. */
export function answerFailure(response: ServerResponse, error: KubeError): void {
  if (response.headersSent) return void response.destroy();
  if (error.code === 401) response.setHeader('WWW-Authenticate', 'Bearer');
  answer({ response, warnings: [] }, error.code, error.status);
}
