import { connect, type ChannelModel } from 'amqplib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ProcessPod } from '../contract/process-pod.ts';
import type { Grant, ServiceAccess } from '../engine.ts';
import { rabbitmq } from './definition.ts';
import { rabbitmqAccounts as accounts } from './accounts.ts';

const alpha: Grant = { database: 'alpha_test', username: 'alpha-queue', password: 'alpha0123456789' };
const beta: Grant = { database: 'beta_test', username: 'beta-queue', password: 'beta0123456789' };

let pod: ProcessPod;
let access: ServiceAccess;
beforeAll(async () => {
  pod = await ProcessPod.create(rabbitmq);
  await pod.start();
  access = {
    administrator: { username: 'skipper', password: pod.password },
    endpoint: async (name) => ({ host: pod.ip, port: rabbitmq.ports.find((port) => port.name === name)!.port }),
    signal: AbortSignal.timeout(600_000),
  };
  await accounts.grant(access, alpha);
  await accounts.grant(access, beta);
});
afterAll(() => pod?.destroy());

describe('accounts on RabbitMQ', () => {
  it('make, fill and read what is in their own virtual host, again after a second grant', async () => {
    for (const grant of [alpha, beta]) await accounts.verify(access, grant);
    await write(alpha, 'of alpha');
    await accounts.grant(access, alpha);
    await accounts.verify(access, alpha);
    expect(await read(alpha)).toBe('of alpha');
  });

  it('leave nothing behind when they are verified', async () => {
    await accounts.verify(access, beta);
    expect(await (await api('GET', 'queues/beta_test')).json()).toEqual([]);
  });

  it('are let into no virtual host but their own', async () => {
    await expect(session({ ...alpha, database: beta.database })).rejects.toThrow('ConnectionClose');
    await expect(session({ ...alpha, database: '/' })).rejects.toThrow('ConnectionClose');
    await expect(accounts.verify(access, { ...alpha, database: beta.database })).rejects.toThrow();
  });

  it.each([
    ['GET', 'whoami'],
    ['GET', 'vhosts'],
    ['GET', 'users'],
    ['GET', 'definitions'],
    ['GET', 'queues/beta_test'],
    ['GET', 'exchanges'],
    ['GET', 'connections'],
    ['PUT', 'users/alpha-queue', { password: alpha.password, tags: 'administrator' }],
    ['PUT', 'permissions/beta_test/alpha-queue', { configure: '.*', write: '.*', read: '.*' }],
    ['PUT', 'queues/beta_test/stolen', {}],
    ['POST', 'exchanges/beta_test/amq.default/publish', { properties: {}, routing_key: 'kept', payload: 'x', payload_encoding: 'string' }],
    ['POST', 'queues/beta_test/kept/get', { count: 1, ackmode: 'ack_requeue_false', encoding: 'auto' }],
    ['DELETE', 'vhosts/beta_test'],
    ['DELETE', 'users/beta-queue'],
    [
      'PUT',
      'parameters/shovel/alpha_test/steal',
      { value: { 'src-uri': 'amqp:///beta_test', 'src-queue': 'kept', 'dest-uri': 'amqp:///alpha_test' } },
    ],
  ] as const)('are refused by the management API: %s %s', async (method, path, body?: object) => {
    expect((await api(method, path, body, alpha)).status).toBe(401);
  });

  it('get exactly their rights back when those were widened by hand, and what stood open by them ends', async () => {
    await api('PUT', 'users/alpha-queue', { password: 'another', tags: 'administrator,policymaker' });
    await api('PUT', 'permissions/beta_test/alpha-queue', { configure: '.*', write: '.*', read: '.*' });
    await api('PUT', 'permissions/%2F/alpha-queue', { configure: '', write: '', read: '.*' });
    const intruder = await session({ ...alpha, password: 'another', database: beta.database });
    const ended = new Promise((resolve) => intruder.once('close', resolve));
    await accounts.grant(access, alpha);
    await ended;
    await accounts.verify(access, alpha);
    await expect(session({ ...alpha, password: 'another' })).rejects.toThrow();
    await expect(session({ ...alpha, database: beta.database })).rejects.toThrow();
    expect(await (await api('GET', 'users/alpha-queue')).json()).toMatchObject({ tags: expect.toSatisfy((tags) => tags.length === 0) });
    expect(await (await api('GET', 'users/alpha-queue/permissions')).json()).toMatchObject([{ vhost: 'alpha_test' }]);
  });

  it.each([
    ['permissions/alpha_test/alpha-queue', { configure: '', write: '.*', read: '.*' }],
    ['permissions/alpha_test/alpha-queue', { configure: '.*', write: '', read: '.*' }],
    ['permissions/alpha_test/alpha-queue', { configure: '.*', write: '.*', read: '' }],
    ['user-limits/alpha-queue/max-channels', { value: 0 }],
    ['user-limits/alpha-queue/max-connections', { value: 0 }],
  ])('are found wanting when they were narrowed by hand, and set right by a grant: %s', async (path, body) => {
    expect((await api('PUT', path, body)).ok).toBe(true);
    await expect(accounts.verify(access, alpha)).rejects.toThrow();
    await accounts.grant(access, alpha);
    await accounts.verify(access, alpha);
  });

  it('are found in order while the server takes no messages for want of memory', async () => {
    await pod.run('rabbitmqctl', 'set_vm_memory_high_watermark', 'absolute', '1MB');
    try {
      await vi.waitFor(async () => expect(await (await api('GET', 'nodes')).json()).toMatchObject([{ mem_alarm: true }]), 60_000);
      await accounts.verify(access, alpha);
    } finally {
      await pod.run('rabbitmqctl', 'set_vm_memory_high_watermark', 'absolute', '1GB');
    }
  });

  it('lose topic permissions that were set by hand', async () => {
    await api('PUT', 'topic-permissions/alpha_test/alpha-queue', { exchange: 'amq.topic', write: '^x', read: '^x' });
    await accounts.grant(access, alpha);
    expect(await (await api('GET', 'users/alpha-queue/topic-permissions')).json()).toEqual([]);
  });

  it('come back when user and virtual host were deleted by hand', async () => {
    await api('DELETE', 'users/alpha-queue');
    await api('DELETE', 'vhosts/alpha_test');
    await expect(accounts.verify(access, alpha)).rejects.toThrow();
    await accounts.grant(access, alpha);
    await accounts.verify(access, alpha);
  });

  it('end with their sessions when they are revoked, and their messages stay', async () => {
    await write(beta, 'of beta');
    const open = await session(beta);
    const ended = new Promise((resolve) => open.once('close', resolve));
    await accounts.revoke(access, beta);
    await ended;
    await expect(session(beta)).rejects.toThrow();
    await accounts.revoke(access, beta);
    await accounts.grant(access, { ...beta, password: 'new' });
    expect(await read({ ...beta, password: 'new' })).toBe('of beta');
    await accounts.grant(access, beta);
  });

  it('cannot be the administrator', async () => {
    await expect(accounts.grant(access, { ...alpha, username: 'skipper' })).rejects.toThrow('not an app');
    await expect(accounts.revoke(access, { ...alpha, username: 'skipper' })).rejects.toThrow('not an app');
  });

  it('log in by URI with every password and virtual host that can be', async () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/);
    await fc.assert(
      fc.asyncProperty(name, fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' }), async (database, password) => {
        expect(accounts.refusesDatabase(database)).toBeUndefined();
        const grant = { database, username: 'any-queue', password };
        await accounts.grant(access, grant);
        await accounts.verify(access, grant);
        const uri = rabbitmq.uri({ host: pod.ip, port: 5672, ...grant });
        await (await connect(uri, { timeout: 10_000 })).close();
      }),
      { numRuns: 10 },
    );
  });

  it('stop waiting when they are told to', async () => {
    const signal = AbortSignal.abort(new Error('no longer'));
    await expect(accounts.grant({ ...access, signal }, alpha)).rejects.toThrow('no longer');
    await expect(accounts.verify({ ...access, signal }, alpha)).rejects.toThrow('no longer');
  });
});

function api(method: string, path: string, body?: object, as: { username: string; password: string } = access.administrator) {
  return fetch(`http://${pod.ip}:15672/api/${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${as.username}:${as.password}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

async function session({ database, username, password }: Grant): Promise<ChannelModel> {
  const connection = await connect({ hostname: pod.ip, port: 5672, username, password, vhost: database }, { timeout: 10_000 });
  connection.on('error', () => undefined);
  return connection;
}

async function write(grant: Grant, value: string): Promise<void> {
  const connection = await session(grant);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('kept', { durable: true });
  channel.sendToQueue('kept', Buffer.from(value), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

async function read(grant: Grant): Promise<string | undefined> {
  const connection = await session(grant);
  const message = await (await connection.createChannel()).get('kept');
  await connection.close();
  return message ? message.content.toString() : undefined;
}
