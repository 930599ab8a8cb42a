import { statSync } from 'node:fs';
import type { ImageResolver } from '@skipper/api';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { accountOf, unprivilegedId } from './accounts.ts';
import { isHostProcess } from './host-process.ts';
import type { Owner } from './ownership.ts';

/**
 * Who a pod runs as: the cluster's own user. When that is root, then the owner of the folder that the pod's process works in, so that a
 * project can be read by its own app; else, and where that owner is root too, nobody.
 */
export function ownerOf(pod: Pod, images: ImageResolver): Owner {
  if (process.getuid?.() !== 0) return { uid: undefined, gid: undefined };
  for (const container of pod.spec?.containers ?? []) {
    if (!container.workingDir || !isHostProcess(container, images)) continue;
    const found = statSync(container.workingDir, { throwIfNoEntry: false });
    // The folder's group may be one that its owner is not in.
    if (found && found.uid !== 0) return { uid: found.uid, gid: accountOf(found.uid)?.gid ?? found.uid };
  }
  return { uid: unprivilegedId, gid: unprivilegedId };
}
