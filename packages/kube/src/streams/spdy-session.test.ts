import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { socketPair } from './socket-pair.fixture.ts';
import { createSpdySession, type SpdySession, type SpdySessionOptions } from './spdy-session.ts';
import type { SpdyStream } from './spdy-stream.ts';

const open: SpdySession[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.destroy();
});

async function sessionPair(server: Omit<SpdySessionOptions, 'server'>, client: Omit<SpdySessionOptions, 'server'> = {}) {
  const [near, far] = await socketPair();
  const pair = {
    client: createSpdySession(near, { ...client, server: false }),
    server: createSpdySession(far, { ...server, server: true }),
    near,
    far,
  };
  open.push(pair.client, pair.server);
  return pair;
}

/** All that comes; unlike node:stream/consumers it leaves the writing direction open. */
const text = async (stream: SpdyStream) => {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks).toString();
};
const echo = (stream: SpdyStream) => void stream.pipe(stream);
const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('a SPDY session', () => {
  it('carries headers, bytes and half-closes both ways', async () => {
    let headers = {};
    const { client, server } = await sessionPair({
      onStream: async (stream) => {
        headers = { ...stream.headers };
        stream.end(`got ${await text(stream)}`);
      },
    });
    const stream = client.createStream({ streamType: 'data', port: '5432' });
    stream.end('hello');
    expect(await text(stream)).toBe('got hello');
    expect(headers).toEqual({ streamtype: 'data', port: '5432' });
    await until(() => client.streamCount === 0 && server.streamCount === 0);
  });

  it('answers pings of either end', async () => {
    const { client, server } = await sessionPair({});
    await client.ping();
    await server.ping();
  });

  it('ends one stream at the peer when it is destroyed, and no other', async () => {
    const resets: unknown[] = [];
    const { client } = await sessionPair({
      onStream: (stream) => {
        stream.on('error', (error) => resets.push(error));
        echo(stream);
      },
    });
    const [first, second] = [client.createStream({}), client.createStream({})];
    first.write('x');
    second.write('y');
    await Promise.all([once(first, 'data'), once(second, 'data')]);
    first.destroy();
    await until(() => resets.length === 1);
    expect(resets[0]).toMatchObject({ name: 'SpdyResetError', status: 5 });
    second.end('z');
    expect(await text(second)).toBe('z');
  });

  it('refuses streams when it takes none', async () => {
    const { client } = await sessionPair({});
    const [error] = await once(client.createStream({}), 'error');
    expect(error).toMatchObject({ name: 'SpdyResetError', status: 3 });
  });

  it('fails every stream when the connection breaks', async () => {
    let closed: Error | undefined;
    const { client, far } = await sessionPair({ onStream: echo }, { onClose: (error) => (closed = error) });
    const streams = [client.createStream({}), client.createStream({})];
    const failures = Promise.all(streams.map((stream) => once(stream, 'error')));
    far.resetAndDestroy();
    await failures;
    expect(closed).toBeInstanceOf(Error);
    expect(client.open).toBe(false);
  });

  it('drops the connection of a peer that reads nothing, some time after it is closed', async () => {
    const { client, near, far } = await sessionPair({ onStream: echo });
    far.pause();
    const stream = client.createStream({});
    stream.write(Buffer.alloc(64 * 1024 * 1024));
    let last = -1;
    const sent = () => near.bytesWritten - near.writableLength;
    while (last !== sent()) {
      last = sent();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    client.close();
    expect(near.destroyed).toBe(false);
    await until(() => near.destroyed);
  });

  it('hands on what a stream had sent to its end before the session ended', async () => {
    const sent = Buffer.alloc(300_000, 7);
    const { client } = await sessionPair({ onStream: (stream) => void stream.end(sent) });
    const stream = client.createStream({});
    await until(() => stream.readableLength === sent.length);
    client.destroy(new Error('gone'));
    let received = 0;
    for await (const chunk of stream) received += chunk.length;
    expect(received).toBe(sent.length);
  });

  it('ends with an error when the peer talks garbage', async () => {
    for (const garbage of [
      'GET / HTTP/1.1\r\n\r\n',
      '\x80\x03\x00\x01\x00\x00\x00\x02xx',
      '\x80\x03\x00\x63\x00\x00\x00\x00',
      '\x80\x02\x00\x01\x00\x00\x00\x00',
    ]) {
      const [near, far] = await socketPair();
      const closed = new Promise<Error | undefined>((resolve) =>
        open.push(createSpdySession(far, { server: true, onClose: resolve, onStream: echo })),
      );
      near.on('error', () => {}).resume();
      near.write(Buffer.from(garbage, 'latin1'));
      // Text is a DATA frame for an unknown stream, which has to be ignored: only its end shows that it was none.
      if (garbage.startsWith('GET')) near.end();
      expect(await closed, JSON.stringify(garbage)).toBeInstanceOf(Error);
      near.destroy();
    }
  });

  it('lets no stream suffer from the abrupt end of others, and leaks none', async () => {
    const { client, server } = await sessionPair({
      onStream: (stream) => {
        stream.on('error', () => {});
        echo(stream);
      },
    });
    const message = Buffer.alloc(20_000, 'm');
    let echoed = 0;
    const one = async (index: number) => {
      const stream = client.createStream({ requestID: String(index) });
      stream.write(message);
      if (index % 3 === 0) {
        if (index % 2) await once(stream, 'data');
        stream.destroy();
        return;
      }
      stream.end();
      expect((await text(stream)).length).toBe(message.length);
      echoed++;
    };
    let next = 0;
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        while (next < 1_000) await one(next++);
      }),
    );
    expect(echoed).toBe(666);
    await until(() => client.streamCount === 0 && server.streamCount === 0);
    expect(client.open && server.open).toBe(true);
  });

  it('holds the peer back when a reader pauses, with bounded memory, and loses nothing', async () => {
    const offered = 256 * 1024 * 1024;
    const chunk = Buffer.alloc(64 * 1024, 9);
    let sent = 0;
    const { client } = await sessionPair({
      onStream: (stream) => {
        const send = () => {
          while (sent < offered) {
            sent += chunk.length;
            if (!stream.write(chunk)) return void stream.once('drain', send);
          }
          stream.end();
        };
        send();
      },
    });
    const before = process.memoryUsage().rss;
    const stream = client.createStream({});
    let received = 0;
    stream.on('data', (bytes: Buffer) => (received += bytes.length));
    await once(stream, 'data');
    stream.pause();
    await until(() => client.stalled);
    let last = -1;
    while (last !== sent) {
      last = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(32 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 1024 * 1024);
    stream.resume();
    await once(stream, 'end');
    expect(received).toBe(offered);
    expect(client.stalled).toBe(false);
  });
});
