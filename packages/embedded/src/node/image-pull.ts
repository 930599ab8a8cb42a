import { KipError, type ImageProcess } from '@skipper/api';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { ContainerHost } from './container-host.ts';
import { hostProcess, isHostProcess } from './host-process.ts';

const progressEveryMs = 500;

/**
 * Finds what a container's image stands for here and has it made available, as the pod's events tell.
 * @param progress is told how far it is, not too often.
 * @throws KipError `engine-unavailable` when the image cannot be had.
 */
export async function pullImage(
  container: Container,
  host: ContainerHost,
  { signal, progress }: { signal: AbortSignal; progress(message: string): void },
): Promise<ImageProcess> {
  const reference = container.image ?? '';
  const isHost = isHostProcess(container, host.images);
  const image = isHost ? hostProcess(container) : host.images(reference);
  if (!image) {
    throw new KipError('engine-unavailable', `No program is known here for image "${reference}".`, {
      hint: 'The embedded cluster runs no containers: give this one a command, which runs as a process of this machine.',
    });
  }
  let pulled = false;
  let toldAt = 0;
  await image.prepare({
    enginesDir: host.enginesDir,
    signal,
    progress: (message) => {
      if (!pulled) host.event('Normal', 'Pulling', `Pulling image "${reference}": ${message}`);
      pulled = true;
      if (Date.now() - toldAt < progressEveryMs) return;
      toldAt = Date.now();
      progress(message);
    },
  });
  host.event(
    'Normal',
    'Pulled',
    isHost
      ? 'The command runs as a process of this machine; its image is not used'
      : pulled
        ? `Successfully pulled image "${reference}"`
        : `Container image "${reference}" already present on machine`,
  );
  return image;
}
