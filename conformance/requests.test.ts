import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ask, askAs, createNamespace, minorVersion, pathOf } from './support/cluster.ts';
import { configMaps } from './support/kinds.ts';
import { until } from './support/until.ts';

const namespace = await createNamespace('requests');
const collection = pathOf(configMaps, namespace);
const configMap = (name: string, more: object = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more });

describe('a request', () => {
  it('without credentials is refused', async () => {
    const answer = await askAs(undefined, collection);
    // A cluster may know anonymous users, who are allowed nothing here.
    expect([401, 403]).toContain(answer.status);
    expect(answer.body).toMatchObject({
      kind: 'Status',
      status: 'Failure',
      reason: answer.status === 401 ? 'Unauthorized' : 'Forbidden',
      code: answer.status,
    });
  });

  it('with a wrong token is refused', async () => {
    const answer = await askAs(randomBytes(16).toString('hex'), collection);
    expect(answer.status).toBe(401);
    expect(answer.body).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Unauthorized',
      reason: 'Unauthorized',
      code: 401,
    });
  });

  it.each([
    ['that is no JSON', '{"apiVersion": "v1", '],
    ['that is a list', '[]'],
    ['that is text', '"ConfigMap"'],
    ['of another kind', JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } })],
    ['of another version', JSON.stringify({ apiVersion: 'v7', kind: 'ConfigMap', metadata: { name: 'x' } })],
    ['with a field of the wrong type', JSON.stringify(configMap('x', { data: 'text' }))],
    ['with metadata of the wrong type', JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', labels: ['a'] } })],
    ['of another namespace', JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'elsewhere' } })],
  ])('with a body %s is malformed', async (_, body) => {
    expect(await ask('POST', collection, { body })).toMatchObject({
      status: 400,
      body: { kind: 'Status', status: 'Failure', reason: 'BadRequest', code: 400 },
    });
  });

  it('whose body names another object than the path is malformed', async () => {
    await ask('POST', collection, { body: configMap('named') });
    expect(await ask('PUT', `${collection}/named`, { body: configMap('other') })).toMatchObject({
      status: 400,
      body: { reason: 'BadRequest', message: 'the name of the object (other) does not match the name on the URL (named)' },
    });
  });

  it('with an unknown media type is refused', async () => {
    const answer = await ask('POST', collection, { body: 'name: x', headers: { 'content-type': 'text/x-unknown' } });
    expect(answer).toMatchObject({ status: 415, body: { reason: 'UnsupportedMediaType', code: 415 } });
  });

  it('with an unknown patch type is refused', async () => {
    await ask('POST', collection, { body: configMap('patched') });
    const answer = await ask('PATCH', `${collection}/patched`, { body: {}, headers: { 'content-type': 'application/json' } });
    expect(answer).toMatchObject({ status: 415, body: { reason: 'UnsupportedMediaType', code: 415 } });
  });

  it('that accepts only unknown media types is refused', async () => {
    expect(await ask('GET', collection, { headers: { accept: 'text/x-unknown' } })).toMatchObject({
      status: 406,
      body: { reason: 'NotAcceptable' },
    });
  });

  it('with YAML is understood', async () => {
    const body = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  a: "1"\n`;
    expect(await ask('POST', collection, { body, headers: { 'content-type': 'application/yaml' } })).toMatchObject({
      status: 201,
      body: { data: { a: '1' } },
    });
  });

  it('with an oversized body is refused and changes nothing', async () => {
    const body = configMap('huge', { data: { a: 'x'.repeat(4 << 20) } });
    // A server may hang up once it has refused, which resets a client that is still sending.
    const answer = await until('it is answered', () => ask('POST', collection, { body }));
    expect(answer).toMatchObject({ status: 413, body: { reason: 'RequestEntityTooLarge', code: 413 } });
    expect(await ask('GET', `${collection}/huge`)).toMatchObject({ status: 404 });
  });

  it('with an object above its limit is invalid', async () => {
    const answer = await ask('POST', collection, { body: configMap('large', { data: { a: 'x'.repeat((1 << 20) | 1) } }) });
    expect(answer).toMatchObject({ status: 422, body: { reason: 'Invalid', details: { causes: [{ reason: 'FieldValueTooLong' }] } } });
  });

  it('by a method that the resource does not have is refused', async () => {
    expect(await ask('PUT', collection, { body: configMap('x') })).toMatchObject({ status: 405, body: { reason: 'MethodNotAllowed' } });
    expect(await ask('POST', `${collection}/patched`, { body: configMap('patched') })).toMatchObject({
      status: 405,
      body: { reason: 'MethodNotAllowed' },
    });
  });

  it('for a cluster-wide create of a namespaced object is refused', async () => {
    const answer = await ask('POST', '/api/v1/configmaps', { body: configMap('x') });
    expect([400, 404, 405]).toContain(answer.status);
  });

  it.skipIf(minorVersion < 27)('by Strict field validation refuses unknown and duplicate fields (Kubernetes 1.27 and later)', async () => {
    const unknown = await ask('POST', `${collection}?fieldValidation=Strict`, { body: configMap('strict', { dada: {} }) });
    expect(unknown).toMatchObject({ status: 400, body: { reason: 'BadRequest' } });
    expect(unknown.body.message).toContain('strict decoding error: unknown field "dada"');
    const duplicate = await ask('POST', `${collection}?fieldValidation=Strict`, {
      body: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"strict"},"data":{"a":"1","a":"2"}}',
    });
    expect(duplicate.status).toBe(400);
    expect(duplicate.body.message).toContain('duplicate field "data.a"');
    expect(await ask('GET', `${collection}/strict`)).toMatchObject({ status: 404 });
  });

  it.skipIf(minorVersion < 27)('by Warn field validation is told of unknown fields (Kubernetes 1.27 and later)', async () => {
    const answer = await ask<object>('POST', `${collection}?fieldValidation=Warn`, { body: configMap('warned', { dada: {} }) });
    expect(answer.status).toBe(201);
    expect(answer.headers['warning']).toContain('299 - "unknown field \\"dada\\""');
    expect(answer.body).not.toHaveProperty('dada');
  });

  it('by Ignore drops unknown fields', async () => {
    const answer = await ask<object>('POST', `${collection}?fieldValidation=Ignore`, { body: configMap('ignored', { dada: {} }) });
    expect(answer.status).toBe(201);
    expect(answer.headers['warning']).toBeUndefined();
    expect(answer.body).not.toHaveProperty('dada');
  });

  it('may review its own access', async () => {
    const answer = await ask<object>('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { namespace, verb: 'create', resource: 'pods' } },
      },
    });
    expect(answer).toMatchObject({ status: 201, body: { kind: 'SelfSubjectAccessReview', status: { allowed: true } } });
  });
});
