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
  const pair = { client: createSpdySession(near, { ...client, server: false }), server: createSpdySession(far, { ...server, server: true }), near, far };
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
});
