import { apiVersionOf } from '@skipper/api';
import type { KindDefinition, SchemaApi, TableOptions } from '../../contracts.ts';
import type { Frozen } from '../store/object-store.ts';
import { notAcceptable } from './failures.ts';

/** In which form a client wants objects. */
export type Form = 'Object' | 'Table' | 'PartialObjectMetadata';

/** The first form in an Accept header that is served here. @throws a 406 failure when there is none. */
export function formOf(accept: string | undefined): Form {
  for (const range of (accept || '*/*').split(',')) {
    const [type = '', ...parameters] = range
      .trim()
      .split(';')
      .map((part) => part.trim());
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice('as='.length);
    if (type !== 'application/json' && type !== '*/*' && type !== 'application/*') continue;
    if (as === undefined) return 'Object';
    const version = parameters.find((parameter) => parameter.startsWith('v='));
    if (version !== undefined && version !== 'v=v1') continue;
    if (as === 'Table') return 'Table';
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return 'PartialObjectMetadata';
  }
  throw notAcceptable('only the following media types are accepted: application/json');
}

export interface ListMeta {
  resourceVersion: string;
  continue?: string;
  remainingItemCount?: number;
}

/** Turns stored objects of one kind into answers. */
export class Representation {
  readonly #kind: KindDefinition;
  readonly #form: Form;
  readonly #schema: SchemaApi;
  readonly #includeObject: TableOptions['includeObject'];

  constructor(kind: KindDefinition, form: Form, schema: SchemaApi, includeObject: string | null) {
    this.#kind = kind;
    this.#form = form;
    this.#schema = schema;
    this.#includeObject = includeObject === 'None' || includeObject === 'Object' ? includeObject : 'Metadata';
  }

  one(object: Frozen): object {
    if (this.#form === 'Table') return { ...this.#table([object]), metadata: { resourceVersion: object.metadata.resourceVersion } };
    return this.#form === 'Object' ? object : partial(object);
  }

  list(objects: readonly Frozen[], metadata: ListMeta): object {
    if (this.#form === 'Table') return { ...this.#table(objects), metadata };
    if (this.#form === 'PartialObjectMetadata')
      return { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items: objects.map(partial) };
    return { kind: this.#kind.listKind, apiVersion: apiVersionOf(this.#kind.type), metadata, items: objects };
  }

  #table(objects: readonly Frozen[]): object {
    return this.#schema.tableOf(this.#kind, objects as never, { includeObject: this.#includeObject, now: new Date() });
  }
}

function partial({ metadata }: Frozen): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}
