import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { helloMongodb } from './hello.ts';
import { acceptsClients, hasStarted, isAlive } from './probes.ts';
import { placeMongod } from './programs.fixture.ts';

const host = `127.69.${process.pid % 250}.${(process.pid >> 8) % 250 || 1}`;
const port = 27_017;

/** A probe as a container's runtime runs it, against an address of this test's. @returns `null` when it had to be ended. */
function exitCode([file = '', ...args]: readonly string[], timeout = 20_000): Promise<number | null> {
  const child = spawn(
    file,
    args.map((arg) => arg.replaceAll('127.0.0.1', host)),
    { timeout, stdio: 'ignore' },
  );
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
}

describe('the probes of MongoDB, in bash', { timeout: 90_000 }, () => {
  it('call a server that does not listen alive, but neither started nor ready', async () => {
    expect(await exitCode(isAlive)).toBe(0);
    expect(await exitCode(acceptsClients)).not.toBe(0);
    expect(await exitCode(hasStarted)).not.toBe(0);
  });

  it('call a server that accepts connections and says nothing, or something else, neither alive nor ready', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => server.listen(port, host, resolve));
    for (const probe of [isAlive, acceptsClients]) expect(await exitCode(probe)).toBe(1);
    expect(await helloMongodb(host, port, AbortSignal.timeout(200))).toBe('silent');
    server.removeAllListeners('connection').on('connection', (socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('HTTP/1.1 400\r\n\r\n'),
    );
    expect(await exitCode(isAlive)).not.toBe(0);
    expect(await exitCode(acceptsClients)).not.toBe(0);
    expect(await helloMongodb(host, port, AbortSignal.timeout(5_000))).toBe('silent');
    await new Promise((resolve) => server.close(resolve));
  });

  describe('of a server that answers as mongod does', () => {
    let folder: string;
    let server: ChildProcess;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'skipper-mongodb-probes-'));
      await placeMongod(folder);
      server = spawn(join(folder, 'mongodb-8.0.32', 'bin', 'mongod'), ['--dbpath', folder, '--bind_ip', host, '--port', String(port)]);
      while ((await helloMongodb(host, port, AbortSignal.timeout(5_000))) !== 'accepting')
        await new Promise((resolve) => setTimeout(resolve, 50));
    });
    afterEach(async () => {
      server.kill();
      await rm(folder, { recursive: true, force: true });
    });

    it('find it alive and ready', async () => {
      expect(await exitCode(isAlive)).toBe(0);
      expect(await exitCode(acceptsClients)).toBe(0);
    });
  });

  it('name no password in an argument', () => {
    expect([hasStarted, acceptsClients, isAlive].flat().join('\n')).not.toMatch(/\$\{?MONGO_INITDB|\$\(MONGO/);
  });
});
