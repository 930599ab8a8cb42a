import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { MakerArchive } from './archive.ts';

export interface TarEntry {
  name: string;
  content?: string | Buffer;
  mode?: number;
  /** https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06 */
  type?: 'file' | 'link' | 'symlink' | 'folder' | 'device';
  target?: string;
}

const typeFlags = { file: '0', link: '1', symlink: '2', device: '3', folder: '5' };

/** A gzipped tar archive, which may hold what no well-meant program would put there. */
export function tarGz(entries: readonly TarEntry[]): Buffer {
  return gzipSync(Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)]));
}

function tarEntry({ name, content = '', mode = 0o644, type = 'file', target = '' }: TarEntry): Buffer {
  const body = Buffer.from(content);
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number): number => header.write(value.toString(8).padStart(length - 1, '0'), at);
  header.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(body.length, 124, 12);
  octal(1_700_000_000, 136, 12);
  header.write(' '.repeat(8), 148);
  header.write(typeFlags[type], 156);
  header.write(target, 157);
  header.write('ustar\u000000', 257);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

export interface ArchiveServer {
  url: string;
  requests: IncomingMessage[];
  /** Replaces how it answers. */
  answer(handler: (request: IncomingMessage, response: ServerResponse) => void): void;
  close(): Promise<void>;
}

/** Serves one body at every path, with byte ranges, until told to answer otherwise. */
export async function serveArchive(body: Buffer): Promise<ArchiveServer> {
  let handler = rangeHandler(body);
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    requests.push(request);
    handler(request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (next) => {
      handler = next;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function rangeHandler(body: Buffer, etag = '"1"'): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const from = request.headers['if-range'] === etag ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    const part = body.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      etag,
      'content-length': part.length,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` } : {}),
    });
    response.end(part);
  };
}

/** Names an archive as a catalog would. */
export function makerArchive(body: Buffer, url: string, title = 'Thing 1.2.3'): MakerArchive {
  return {
    title,
    url,
    checksum: { algorithm: 'sha512', hex: createHash('sha512').update(body).digest('hex') },
    otherwise: 'Install Thing so that "thing" is on PATH.',
  };
}
