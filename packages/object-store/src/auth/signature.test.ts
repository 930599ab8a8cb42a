import { crc32 } from 'node:zlib';
import { AwsClient } from 'aws4fetch';
import { beforeAll, describe, expect, it } from 'vitest';
import { presignedQuery, send, signedChunks, signedHeaders, signedRequest, type RawRequest } from '../test-client.fixture.ts';
import { useStore } from '../test-store.fixture.ts';

const { account, store } = useStore();
const signed = (options: Partial<RawRequest>) => signedRequest(account(), { method: 'GET', path: '/signed/object', ...options });
const checksum = (text: string): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return bytes.toString('base64');
};

beforeAll(async () => {
  await signed({ method: 'PUT', path: '/signed' });
  expect(await signed({ method: 'PUT', body: 'hello' })).toMatchObject({ status: 200 });
});

describe('a signature in the header', () => {
  it('is accepted from another client', async () => {
    const { accessKey, secretKey, endpoint } = account();
    const client = new AwsClient({ accessKeyId: accessKey, secretAccessKey: secretKey, service: 's3', region: 'us-east-1' });
    const url = `${endpoint}/signed/other ü%2B(1)!*'.txt`;
    expect((await client.fetch(url, { method: 'PUT', body: 'by aws4fetch' })).status).toBe(200);
    expect(await (await client.fetch(url)).text()).toBe('by aws4fetch');
  });

  it('is accepted for any region, as by MinIO', async () => {
    for (const region of ['us-east-1', 'eu-west-1', '']) expect(await signed({ region })).toMatchObject({ status: 200 });
  });

  const minutes = (count: number) => new Date(Date.now() + count * 60_000);
  it.each([14, -14])('may be of a clock that is %d minutes off', async (off) => {
    expect(await signed({ date: minutes(off) })).toMatchObject({ status: 200 });
  });
  it.each([16, -16])('may not be of a clock that is %d minutes off', async (off) => {
    expect(await signed({ date: minutes(off) })).toMatchObject({ status: 403, code: 'RequestTimeTooSkewed' });
  });

  const authorization = (pattern: RegExp, replacement: string) => ({
    tamper: (headers: Record<string, string>) => void (headers['authorization'] = headers['authorization']!.replace(pattern, replacement)),
  });
  it.each<[string, Partial<RawRequest>, number, string]>([
    ['of another secret', authorization(/.$/, 'g'), 403, 'SignatureDoesNotMatch'],
    ['that is cut short', authorization(/.{10}$/, ''), 403, 'SignatureDoesNotMatch'],
    ['that is empty', authorization(/Signature=.*/, 'Signature='), 400, 'MissingFields'],
    ['of nobody', authorization(/skipper\//, 'nobody/'), 403, 'InvalidAccessKeyId'],
    ['of another service', authorization(/\/s3\//, '/ec2/'), 400, 'AuthorizationParametersError'],
    ['of another day', authorization(/\/\d{8}\//, '/20200101/'), 403, 'SignatureDoesNotMatch'],
    ['without the host', authorization(/host;/, ''), 400, 'AccessDenied'],
    ['of version 2', authorization(/.*/, 'AWS skipper:c2lnbmF0dXJl'), 403, 'SignatureDoesNotMatch'],
    ['of another kind', authorization(/.*/, 'Bearer token'), 400, 'InvalidRequest'],
  ])('%s is not accepted', async (_what, options, status, code) => {
    expect(await signed(options)).toMatchObject({ status, code });
  });

  it('covers path, query, headers and body', async () => {
    const { headers } = signedHeaders(account(), { method: 'PUT', path: '/signed/a', body: 'body', headers: { 'x-amz-meta-a': '1' } });
    const mismatch = { status: 403, code: 'SignatureDoesNotMatch' };
    const attempt = (change: object) => send(account().endpoint, { method: 'PUT', path: '/signed/a', headers, body: 'body', ...change });
    expect(await attempt({ path: '/signed/b' })).toMatchObject(mismatch);
    expect(await attempt({ rawQuery: 'tagging=' })).toMatchObject(mismatch);
    expect(await attempt({ method: 'POST' })).toMatchObject(mismatch);
    expect(await attempt({ headers: { ...headers, 'x-amz-meta-a': '2' } })).toMatchObject(mismatch);
    expect(await attempt({ headers: { ...headers, host: 'elsewhere' } })).toMatchObject(mismatch);
    expect(await attempt({ body: 'bodY' })).toMatchObject({ status: 400, code: 'XAmzContentSHA256Mismatch' });
    expect(await signed({ path: '/signed/a' })).toMatchObject({ status: 404 });
    expect(await attempt({})).toMatchObject({ status: 200 });
  });

  it('may leave the body out', async () => {
    expect(await signed({ method: 'PUT', body: 'free', payloadHash: 'UNSIGNED-PAYLOAD' })).toMatchObject({ status: 200 });
  });

  it('may have headers that are repeated, spaced or not ASCII', async () => {
    const headers = { 'x-amz-meta-a': '  two   spaces ', 'x-amz-meta-b': Buffer.from('ü€').toString('latin1') };
    const { headers: made } = signedHeaders(account(), {
      method: 'PUT',
      path: '/signed/meta',
      headers: { ...headers, 'x-amz-meta-b': 'ü€' },
    });
    expect(await send(account().endpoint, { method: 'PUT', path: '/signed/meta', headers: { ...made, ...headers } })).toMatchObject({
      status: 200,
    });
    const { headers: kept } = await signed({ method: 'HEAD', path: '/signed/meta' });
    expect(Buffer.from(kept['x-amz-meta-b'] as string, 'latin1').toString()).toBe('ü€');
  });
});

describe('a signature in the query', () => {
  const by = (options: object, change = (query: string) => query) =>
    send(account().endpoint, {
      method: 'GET',
      path: '/signed/object',
      rawQuery: change(presignedQuery(account(), { method: 'GET', path: '/signed/object', ...options })),
    });
  const ago = (seconds: number) => new Date(Date.now() - seconds * 1000);

  it.each<[string, object, number, string | undefined]>([
    ['that is new', {}, 200, undefined],
    ['of a week', { expires: 604_800, date: ago(600_000) }, 200, undefined],
    ['of more than a week', { expires: 604_801 }, 400, 'AuthorizationQueryParametersError'],
    ['of less than nothing', { expires: -1 }, 400, 'AuthorizationQueryParametersError'],
    ['of no number', { expires: '1e3' }, 400, 'AuthorizationQueryParametersError'],
    ['that has ended', { expires: 60, date: ago(62) }, 403, 'AccessDenied'],
    ['that has not begun', { date: ago(-1200) }, 403, 'AccessDenied'],
  ])('%s is answered %#', async (_what, options, status, code) => {
    expect(await by(options)).toMatchObject({ status, code });
  });

  it('must be complete and unchanged', async () => {
    expect(await by({}, (query) => query.replace(/&X-Amz-Expires=60/, ''))).toMatchObject({
      status: 400,
      code: 'AuthorizationQueryParametersError',
    });
    expect(await by({}, (query) => query.replace(/X-Amz-Credential=[^&]*/, 'X-Amz-Credential=x'))).toMatchObject({ status: 400 });
    expect(await by({}, (query) => query.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1'))).toMatchObject({ status: 400 });
    expect(await by({}, (query) => `${query}&response-content-type=text%2Fhtml`)).toMatchObject({
      status: 403,
      code: 'SignatureDoesNotMatch',
    });
  });

  it('does not let its holder add metadata or a source', async () => {
    const path = '/signed/by-url';
    const rawQuery = presignedQuery(account(), { method: 'PUT', path });
    const attempt = (headers: Record<string, string>) => send(account().endpoint, { method: 'PUT', path, rawQuery, headers, body: 'x' });
    expect(await attempt({ 'x-amz-copy-source': '/signed/object' })).toMatchObject({ status: 400, code: 'AccessDenied' });
    expect(await attempt({ 'x-amz-meta-a': 'b' })).toMatchObject({ status: 400, code: 'AccessDenied' });
    expect(await attempt({})).toMatchObject({ status: 200 });
  });
});

describe('a body in chunks', () => {
  const path = '/signed/chunked';
  const pieces = [Buffer.from('hello '), Buffer.alloc(70_000, 'w'), Buffer.from('orld')];
  const whole = Buffer.concat(pieces);
  const trailer: [string, string] = ['x-amz-checksum-crc32', checksum(whole.toString())];
  /** @param change what is sent instead of what was signed */
  const put = async (payloadHash: string, { trailing = false, length = whole.length, change = (body: Buffer) => body } = {}) => {
    const headers: Record<string, string> = { 'x-amz-decoded-content-length': String(length), 'content-encoding': 'aws-chunked,gzip' };
    if (trailing) headers['x-amz-trailer'] = trailer[0];
    const { headers: made, signature } = signedHeaders(account(), { method: 'PUT', path, headers, payloadHash });
    const body = change(signedChunks(signature, pieces, trailing ? trailer : undefined));
    return await send(account().endpoint, { method: 'PUT', path, headers: made, body });
  };
  const plain = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
  const trailed = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER';
  const replace = (from: string, to: string) => (body: Buffer) => Buffer.from(body.toString('latin1').replace(from, to), 'latin1');

  it('is taken out of them', async () => {
    expect(await put(plain)).toMatchObject({ status: 200 });
    const { body, headers } = await signed({ path });
    expect(body.equals(whole)).toBe(true);
    expect(headers['content-encoding']).toBe('gzip');
    expect(await put(trailed, { trailing: true })).toMatchObject({ status: 200, headers: { 'x-amz-checksum-crc32': trailer[1] } });
  });

  it.each<[string, string, Parameters<typeof put>[1], number, string]>([
    ['a changed byte', plain, { change: replace('orld', 'orlD') }, 403, 'SignatureDoesNotMatch'],
    ['a changed signature', plain, { change: replace('signature=', 'signature=0') }, 400, 'BadRequest'],
    ['chunks in another order', plain, { change: replace('hello ', 'ello h') }, 403, 'SignatureDoesNotMatch'],
    ['less than announced', plain, { length: whole.length + 1 }, 400, 'IncompleteBody'],
    ['more than announced', plain, { length: whole.length - 1 }, 400, 'ExcessData'],
    ['an end that is missing', plain, { change: (body) => body.subarray(0, body.length - 90) }, 400, 'IncompleteBody'],
    ['no signature', plain, { change: replace(';chunk-signature=', ';other-signature=') }, 400, 'BadRequest'],
    ['another trailer', trailed, { trailing: true, change: replace(trailer[1], checksum('other')) }, 403, 'SignatureDoesNotMatch'],
    [
      'an unsigned trailer',
      trailed,
      { trailing: true, change: replace('x-amz-trailer-signature:', 'x-other:') },
      403,
      'SignatureDoesNotMatch',
    ],
  ])('with %s is refused, and nothing of it kept', async (_what, hash, options, status, code) => {
    await signed({ method: 'DELETE', path });
    expect(await put(hash, options)).toMatchObject({ status, code });
    expect(await signed({ path })).toMatchObject({ status: 404 });
  });

  it('and an unsigned trailer is held to its checksum', async () => {
    const attempt = (body: string, length = 5) =>
      signed({
        method: 'PUT',
        path,
        payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        headers: { 'x-amz-decoded-content-length': String(length), 'x-amz-trailer': 'x-amz-checksum-crc32' },
        body,
      });
    const chunks = (value: string) => `2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:${value}\r\n\r\n`;
    expect(await attempt(chunks(checksum('hello')))).toMatchObject({ status: 200 });
    expect((await signed({ path })).body.toString()).toBe('hello');
    expect(await attempt(chunks(checksum('other')))).toMatchObject({ status: 400, code: 'XAmzContentChecksumMismatch' });
    expect(await attempt('5\r\nhello\r\n0\r\n\r\n')).toMatchObject({ status: 400, code: 'BadRequest' });
    expect(await attempt('zz\r\nhello\r\n0\r\n\r\n')).toMatchObject({ status: 400, code: 'BadRequest' });
    expect(await attempt(`${'0'.repeat(9000)}\r\n`)).toMatchObject({ status: 400, code: 'BadRequest' });
    expect(await attempt(chunks(checksum('hello')), 4)).toMatchObject({ status: 400, code: 'ExcessData' });
    expect((await signed({ path })).body.toString()).toBe('hello');
  });

  it('with a signature of elliptic curves is not for us', async () => {
    const payloadHash = 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD';
    expect(await signed({ method: 'PUT', path, payloadHash, headers: { 'x-amz-decoded-content-length': '1' }, body: 'x' })).toMatchObject({
      status: 501,
      code: 'NotImplemented',
    });
  });
});

it('keeps secrets out of what it says of itself', () => {
  expect(JSON.stringify(store())).not.toContain(account().secretKey);
});
