import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { Engine } from '@skipper/engines';

/** Where all operators of a cluster meet, wherever they run, and where its settings are. */
export const systemNamespace = 'skipper-system';
/** The ConfigMap that says where the images of services come from: of a mirror, say, where nothing else is reached. */
export const imagesName = 'skipper-images';

const registryKey = 'registry';
const versionPlace = '{version}';
/** As image references are written, in a registry with or without a path of its own. https://github.com/distribution/reference/blob/main/reference.go */
const host = '[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?(:[0-9]{1,5})?';
const path = '[a-z0-9]+([._-]+[a-z0-9]+)*';
const registryShape = new RegExp(`^${host}(/${path})*$`);
const referenceShape = new RegExp(`^(${host}/)?${path}(/${path})*(:[A-Za-z0-9_][-.A-Za-z0-9_]{0,127})?(@sha256:[0-9a-f]{64})?$`);

/** The image of a service, as the cluster has it. @returns why it cannot be said, when the ConfigMap cannot be read */
export function imageFor(engine: Engine, version: string, settings: ConfigMap | undefined): { image: string } | { problem: string } {
  const standard = engine.image(version);
  const own = settings?.data?.[engine.type]?.trim();
  if (own !== undefined) {
    const image = own.replaceAll(versionPlace, version);
    return referenceShape.test(image)
      ? { image }
      : unreadable(engine.type, own, `an image reference, in which ${versionPlace} stands for the version`);
  }
  const registry = settings?.data?.[registryKey]?.trim();
  if (registry === undefined) return { image: standard };
  if (!registryShape.test(registry)) return unreadable(registryKey, registry, 'a registry, such as registry.example.com/mirror');
  const [first = '', ...rest] = standard.split('/');
  return { image: [registry, ...(/[.:]|^localhost$/.test(first) ? rest : [first, ...rest])].join('/') };
}

function unreadable(key: string, value: string, wanted: string): { problem: string } {
  return {
    problem: `The key "${key}" of the ConfigMap "${imagesName}" in namespace "${systemNamespace}" is "${value.slice(0, 200)}", which is not ${wanted}. Nothing is changed until it is mended.`,
  };
}
