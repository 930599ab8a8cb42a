import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiObject, KindDefinition, PatchApi, SchemaApi } from '../../contracts.ts';
import { badRequest, failure, notFound, unsupportedMediaType } from '../objects/failures.ts';
import { Listing } from '../objects/listing.ts';
import { deleteObject } from '../objects/object-deleter.ts';
import type { ObjectWriter } from '../objects/object-writer.ts';
import { present } from '../objects/stored-object.ts';
import { formOf, Representation } from '../objects/representation.ts';
import type { ResourceRequest } from '../objects/request-info.ts';
import { applyScale, scaleOf } from '../objects/scale.ts';
import { watchObjects } from '../objects/watching.ts';
import { mediaTypeOf, parseBody, readBody } from './body.ts';
import type { Role } from './identity.ts';
import { deleteOptions, isDryRun, readObject, readOptions, writeOptions } from './request-options.ts';
import { answer, type Answering } from './respond.ts';
import { requireObject } from '../objects/well-formed.ts';
import { authorize, verbOf } from './authorization.ts';
import { openWatchSink } from './watch-sink.ts';

export interface ObjectRoutes {
  handle(target: ResourceRequest, exchange: Exchange): Promise<void>;
}

/** One request and its answer. */
export interface Exchange extends Answering {
  request: IncomingMessage;
  response: ServerResponse;
  query: URLSearchParams;
  role: Role;
}

const readMethods = new Set(['GET', 'HEAD']);

/** Requests for objects, by their methods. */
export function createObjectRoutes(writer: ObjectWriter, schema: SchemaApi, patchApi: PatchApi): ObjectRoutes {
  const listing = new Listing(writer.store);

  async function handle(target: ResourceRequest, exchange: Exchange): Promise<void> {
    const { request, role } = exchange;
    const { kind } = target;
    const method = request.method ?? 'GET';
    authorize(role, verbOf(method, { name: target.name, watch: isWatch(target, exchange) }), target);
    if (kind.verbs) return answerReview(target, exchange);
    if (target.subresource) return handleSubresource(target, exchange);
    if (target.name === undefined) return handleCollection(target, exchange);
    if (readMethods.has(method)) {
      if (isWatch(target, exchange)) return watch({ ...target, name: undefined }, exchange, target.name);
      return answer(exchange, 200, representation(target, exchange).one(writer.require(kind, target.namespace, target.name)));
    }
    if (method === 'PUT' || method === 'PATCH') return change(target, target.name, exchange);
    if (method === 'DELETE') return remove(target, target.name, exchange);
    throw notAllowed();
  }

  async function handleCollection(target: ResourceRequest, exchange: Exchange): Promise<void> {
    const { kind, namespace } = target;
    const { request, query } = exchange;
    if (readMethods.has(request.method ?? 'GET')) {
      if (isWatch(target, exchange)) return watch(target, exchange);
      const { objects, metadata } = listing.list(kind, namespace, query);
      return answer(exchange, 200, representation(target, exchange).list(objects, metadata));
    }
    if (kind.type.namespaced && namespace === undefined) throw notAllowed();
    if (request.method === 'POST') {
      const options = writeOptions(exchange);
      const body = await readObject(request, options);
      const object = await writer.create(kind, namespace, body, options);
      return answer(exchange, 201, representation(target, exchange).one(object));
    }
    if (request.method !== 'DELETE') throw notAllowed();
    const options = await deleteOptions(exchange);
    const { objects, metadata } = listing.list(kind, namespace, query);
    for (const {
      metadata: { name, namespace: at },
    } of objects)
      await deleteObject(writer, kind, at, name!, options).catch(ignoreMissing);
    answer(exchange, 200, representation(target, exchange).list(objects, metadata));
  }

  function representation({ kind }: ResourceRequest, { request, query }: Exchange): Representation {
    return new Representation(kind, formOf(request.headers.accept), schema, query.get('includeObject'));
  }

  function isWatch(target: ResourceRequest, { query }: Exchange): boolean {
    return target.watch || ['true', '1'].includes(query.get('watch') ?? '');
  }

  function watch(target: ResourceRequest, exchange: Exchange, name?: string): void {
    const { request, response, query } = exchange;
    if (name !== undefined) query.set('fieldSelector', `metadata.name=${name}`);
    const shown = representation(target, exchange);
    const stop = watchObjects(writer.store, target.kind, target.namespace, query, () =>
      openWatchSink(response, (object) => shown.one(object)),
    );
    request.once('close', stop);
    response.once('close', stop);
  }

  async function handleSubresource(target: ResourceRequest, exchange: Exchange): Promise<void> {
    const { kind, namespace, name, subresource } = target;
    const { method } = exchange.request;
    if (name === undefined) throw notAllowed();
    if (subresource === 'status' && kind.status) {
      if (readMethods.has(method ?? 'GET'))
        return answer(exchange, 200, representation(target, exchange).one(writer.require(kind, namespace, name)));
      if (method === 'PUT' || method === 'PATCH') return change(target, name, exchange);
    } else if (subresource === 'scale' && kind.scale) {
      if (readMethods.has(method ?? 'GET')) return answer(exchange, 200, scaleOf(kind, writer.require(kind, namespace, name)));
      if (method === 'PUT' || method === 'PATCH') return changeScale(target, name, exchange);
    } else if (subresource === 'finalize' && kind.storage === 'core/namespaces' && method === 'PUT') {
      const body = await readOptions(exchange.request);
      const changed = await writer.change(
        { kind, namespace, name, subresource: '' },
        (current) => ({ ...current, spec: { ...current['spec'], finalizers: [body['spec']?.finalizers ?? []].flat() } }),
        writeOptions(exchange),
      );
      if (!changed) throw notFound(kind, name);
      return answer(exchange, 200, changed);
    } else if (subresource === 'eviction' && kind.storage === 'core/pods' && method === 'POST') {
      const body = await readOptions(exchange.request);
      await deleteObject(writer, kind, namespace, name, { ...body.deleteOptions, dryRun: isDryRun(exchange.query) });
      return answer(exchange, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
    } else {
      throw failure(404, 'NotFound', 'the server could not find the requested resource');
    }
    throw notAllowed();
  }

  async function change(target: ResourceRequest, name: string, exchange: Exchange): Promise<void> {
    const { kind, namespace, subresource } = target;
    const { request } = exchange;
    const options = writeOptions(exchange);
    const mediaType = mediaTypeOf(request);
    const body = await readObject(request, options);
    const place = { kind, namespace, name, subresource };
    if (request.method === 'PATCH' && mediaType === 'application/apply-patch+yaml') return apply(target, name, body, exchange);
    const edit = request.method === 'PUT' ? () => body as ApiObject : patchOf(kind, mediaType, body);
    const changed = await writer.change(place, edit, options);
    if (changed) return answer(exchange, 200, representation(target, exchange).one(changed));
    if (request.method !== 'PUT' || subresource !== '' || kind.storage !== 'coordination.k8s.io/leases') throw notFound(kind, name);
    // A few kinds may be made by a PUT.
    const made = await writer.create(kind, namespace, body, options);
    answer(exchange, 201, representation(target, exchange).one(made));
  }

  function patchOf(kind: KindDefinition, mediaType: string, body: unknown): (current: ApiObject) => ApiObject {
    if (mediaType === 'application/json-patch+json') return (current) => patchApi.jsonPatch(current, body);
    if (mediaType === 'application/merge-patch+json') return (current) => patchApi.mergePatch(current, body);
    if (mediaType === 'application/strategic-merge-patch+json' && !kind.custom)
      return (current) => patchApi.strategicMergePatch(kind, current, body);
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml`,
    );
  }

  async function apply(target: ResourceRequest, name: string, body: ApiObject, exchange: Exchange): Promise<void> {
    const { kind, namespace, subresource } = target;
    const { query } = exchange;
    const manager = query.get('fieldManager');
    if (!manager) throw badRequest('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch');
    if (body?.metadata?.managedFields) throw badRequest('metadata.managedFields must be nil');
    if (body?.metadata?.name !== undefined && body.metadata.name !== name)
      throw badRequest(`the name of the object (${body.metadata.name}) does not match the name on the URL (${name})`);
    const options = { ...writeOptions(exchange), manages: true };
    const force = ['true', '1'].includes(query.get('force') ?? '');
    const wanted = { ...body, metadata: { ...body?.metadata, name, ...(kind.type.namespaced ? { namespace } : {}) } };
    // Checked before it is merged: what is unknown here was sent by this client.
    for (const path of schema.prune(kind, wanted)) {
      if (options.fieldValidation === 'Strict') throw badRequest(`strict decoding error: unknown field "${path}"`);
      options.warn(`unknown field "${path}"`);
    }
    const merged = (live: ApiObject | undefined): ApiObject =>
      patchApi.serverSideApply({ kind, live, applied: wanted, manager, force, subresource, now: new Date() });
    for (let attempt = 0; attempt < 3; attempt++) {
      const changed = await writer.change({ kind, namespace, name, subresource }, merged, { ...options, checkFields: false });
      if (changed) return answer(exchange, 200, representation(target, exchange).one(changed));
      if (subresource || wanted.metadata.uid || wanted.metadata.resourceVersion) throw notFound(kind, name);
      try {
        const created = merged(undefined);
        const made = await writer.create(
          kind,
          namespace,
          structuredClone(created),
          { ...options, fieldValidation: 'Ignore' },
          () => created,
        );
        return answer(exchange, 201, representation(target, exchange).one(made));
      } catch (error) {
        // Somebody made it meanwhile: it is changed instead.
        if ((error as { reason?: string }).reason !== 'AlreadyExists') throw error;
      }
    }
    throw failure(409, 'Conflict', `${kind.type.plural} "${name}" comes and goes`);
  }

  async function changeScale(target: ResourceRequest, name: string, exchange: Exchange): Promise<void> {
    const { kind, namespace } = target;
    const { request } = exchange;
    const mediaType = mediaTypeOf(request);
    const body = await parseBody(await readBody(request), mediaType);
    const scaled = (current: ApiObject): ApiObject => {
      const before = scaleOf(kind, current);
      const after =
        request.method === 'PUT'
          ? (body as ApiObject)
          : mediaType === 'application/json-patch+json'
            ? patchApi.jsonPatch(before, body)
            : patchApi.mergePatch(before, body);
      requireObject(after);
      applyScale(kind, current, after);
      return current;
    };
    const changed = await writer.change({ kind, namespace, name, subresource: '' }, scaled, writeOptions(exchange));
    if (!changed) throw notFound(kind, name);
    answer(exchange, 200, scaleOf(kind, changed));
  }

  async function remove(target: ResourceRequest, name: string, exchange: Exchange): Promise<void> {
    const { kind, namespace } = target;
    const { object, gone } = await deleteObject(writer, kind, namespace, name, await deleteOptions(exchange));
    // Pods are shown as they were, like everything that is still there.
    if (!gone || kind.storage === 'core/pods') return answer(exchange, 200, representation(target, exchange).one(present(kind, object)));
    const { uid } = object.metadata;
    const details = { name, ...(kind.type.group ? { group: kind.type.group } : {}), kind: kind.type.plural, uid };
    answer(exchange, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
  }

  /** Questions about the asker. */
  async function answerReview({ kind }: ResourceRequest, exchange: Exchange): Promise<void> {
    if (exchange.request.method !== 'POST') throw notAllowed();
    const body = await readOptions(exchange.request);
    const attributes = body.spec?.resourceAttributes;
    const reads = ['get', 'list', 'watch'].includes(attributes?.verb);
    const allowed = exchange.role === 'admin' || (reads && attributes?.resource !== 'secrets');
    const status =
      kind.type.kind === 'SelfSubjectReview' ? { userInfo: { username: exchange.role, groups: ['system:authenticated'] } } : { allowed };
    answer(exchange, 201, { ...body, status });
  }

  return { handle };
}

function notAllowed(): Error {
  return failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
}

function ignoreMissing(error: { reason?: string }): void {
  if (error.reason !== 'NotFound') throw error;
}
