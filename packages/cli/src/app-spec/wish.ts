import { isAbsolute } from 'node:path';
import { apps, KipError, requireAppName, type App, type AppSpec } from '@skipper/api';
import { isEngineImage } from '@skipper/engines';
import { checked } from '../manifests/checks.ts';
import { readManifests } from '../manifests/read.ts';

/**
 * The one app of a manifest.
 * @param namespace where it is to be deployed.
 * @throws KipError `usage`
 */
export async function manifestOf(file: string, namespace: string): Promise<App> {
  const [object, ...more] = checked(await readManifests([file]), namespace);
  if (more.length > 0 || object?.kind !== apps.kind)
    throw new KipError('usage', `${file} is not the manifest of one app.`, {
      hint: `Several objects are applied with "kip apply -f ${file}".`,
    });
  if (object.metadata?.namespace !== namespace)
    throw new KipError('usage', `${file} is for namespace "${object.metadata?.namespace}", not for "${namespace}".`, {
      hint: `Name it with --project and --environment, or use "kip apply -f ${file}".`,
    });
  return object as App;
}

/** The name of the app to deploy. @throws KipError `usage` */
export function appNameOf(given: string | undefined, manifest: App | undefined): string {
  const name = given ?? manifest?.metadata?.name;
  if (name === undefined) throw new KipError('usage', 'The app needs a name.', { hint: 'kip app deploy api --port 8080 …' });
  requireAppName(name);
  if (manifest && manifest.metadata?.name !== name)
    throw new KipError('usage', `The manifest is of app "${manifest.metadata?.name}", not of "${name}".`, { hint: 'Leave the name out.' });
  return name;
}

/**
 * The folder of a command that runs as a process of this machine: where kip was called, as in a terminal. A folder that is named, or of
 * a command that is not, stays.
 * @param named what this call of kip names, in its manifest too.
 * @param image of the app: beside one no folder of this machine is noted, for it would go to other clusters with the app.
 */
export function folderOf({ command = [], workingDir }: AppSpec, folder: string, image?: string): Pick<AppSpec, 'workingDir'> {
  return image === undefined && command.length > 0 && workingDir === undefined ? { workingDir: folder } : {};
}

/**
 * @param processes whether the cluster runs commands as processes, and no images.
 * @param cluster as messages name it.
 * @throws KipError `usage` when nothing could run.
 */
export function requireRunnable(name: string, spec: AppSpec, processes: boolean, cluster: string): void {
  const { image, command = [], host, port } = spec;
  if (image === undefined && !processes)
    throw new KipError('usage', `App "${name}" needs an image to run on ${cluster}.`, {
      hint: `kip app deploy ${name} --image ghcr.io/shop/${name}:1.0`,
    });
  // It would be made, and never come up.
  if (processes && command.length === 0 && !isEngineImage(image ?? ''))
    throw new KipError('usage', `App "${name}" needs a command: ${cluster} runs processes, no images.`, {
      hint: `kip app deploy ${name} --command "node server.js"`,
    });
  if (host !== undefined && port === undefined)
    throw new KipError('usage', `A host needs the port that "${name}" listens on.`, { hint: 'Add --port, for example --port 8080.' });
  if (spec.workingDir !== undefined && !isAbsolute(spec.workingDir))
    throw new KipError('usage', `The folder "${spec.workingDir}" of app "${name}" is not absolute.`, { hint: 'Start it with "/".' });
}
