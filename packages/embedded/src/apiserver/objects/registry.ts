import type { CustomResourceDefinition } from 'kubernetes-types/apiextensions/v1.d.ts';
import type { KindDefinition, ResourceRegistry } from '../../contracts.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { builtinKinds } from './builtin-kinds.ts';

const definitionsStorage = 'apiextensions.k8s.io/customresourcedefinitions';

/** What is served: the built-in kinds and those of the stored CustomResourceDefinitions, as of now. */
export function createRegistry(store: ObjectStore): ResourceRegistry {
  let kinds: readonly KindDefinition[] = [];
  let generation = 0;
  /** Revisions at which definitions came, by their uids. */
  const servedSince = new Map<string, number>();
  const index = new Map<string, KindDefinition>();
  const byStorage = new Map<string, KindDefinition>();
  const refresh = (): void => {
    const custom = store
      .list(definitionsStorage)
      .flatMap((object) => customKinds(object as unknown as CustomResourceDefinition, servedSince.get(object.metadata.uid!) ?? 0));
    kinds = [...builtinKinds, ...custom.filter(({ served }) => served).map(({ kind }) => kind)];
    generation += 1;
    index.clear();
    byStorage.clear();
    // The first of those that are served comes last, and stays.
    for (const kind of [...custom.map((version) => version.kind), ...kinds.toReversed()]) byStorage.set(kind.storage, kind);
    for (const kind of kinds) {
      const { group, version, plural } = kind.type;
      index.set(`${group}/${version}/${plural}`, kind);
      index.set(`${group}/${version}/ ${kind.type.kind}`, kind);
    }
  };
  refresh();
  store.subscribe(({ storage, type, object, old, revision }) => {
    if (storage !== definitionsStorage) return;
    if (type === 'ADDED') servedSince.set(object.metadata.uid!, revision);
    if (type === 'DELETED') servedSince.delete(object.metadata.uid!);
    if (type !== 'MODIFIED' || object['spec'] !== old?.['spec']) refresh();
  });
  return {
    all: () => kinds,
    byPlural: (group, version, plural) => index.get(`${group}/${version}/${plural}`),
    byKind: (group, version, kind) => index.get(`${group}/${version}/ ${kind}`),
    byStorage: (storage) => byStorage.get(storage),
    get generation() {
      return generation;
    },
  };
}

interface CustomVersion {
  kind: KindDefinition;
  served: boolean;
}

function customKinds({ spec }: CustomResourceDefinition, since: number): CustomVersion[] {
  const { names, group, scope } = spec;
  return spec.versions.map((version) => ({
    served: version.served,
    kind: {
      type: { group, version: version.name, kind: names.kind, plural: names.plural, namespaced: scope === 'Namespaced' },
      singular: names.singular ?? names.kind.toLowerCase(),
      listKind: names.listKind ?? `${names.kind}List`,
      shortNames: names.shortNames ?? [],
      categories: names.categories ?? [],
      storage: `${group}/${names.plural}`,
      status: version.subresources?.status !== undefined,
      ...(version.subresources?.scale
        ? {
            scale: {
              spec: version.subresources.scale.specReplicasPath,
              status: version.subresources.scale.statusReplicasPath,
              ...(version.subresources.scale.labelSelectorPath ? { selector: version.subresources.scale.labelSelectorPath } : {}),
            },
          }
        : {}),
      strategy: {},
      custom: {
        since,
        ...(version.schema?.openAPIV3Schema ? { schema: version.schema.openAPIV3Schema } : {}),
        columns: (version.additionalPrinterColumns ?? []).map(({ name, type, jsonPath, format, description, priority }) => ({
          name,
          type,
          jsonPath,
          ...(format ? { format } : {}),
          ...(description ? { description } : {}),
          ...(priority ? { priority } : {}),
        })),
      },
    },
  }));
}
