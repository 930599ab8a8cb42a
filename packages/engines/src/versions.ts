/** The tag of `image` when it is an image of `repository`, with `suffix` taken off; `undefined` for any other image. */
export function versionInTag(image: string, repository: string, suffix: string): string | undefined {
  const shortName = repository.replace(/^docker\.io\/(library\/)?/, '');
  for (const name of [repository, shortName]) {
    if (!image.startsWith(`${name}:`)) continue;
    const tag = image.slice(name.length + 1);
    return tag.endsWith(suffix) ? tag.slice(0, tag.length - suffix.length) : tag;
  }
  return undefined;
}

/** The leading number of a version: `18` for `18.4`. */
export function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}
