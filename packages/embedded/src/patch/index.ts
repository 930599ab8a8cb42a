import type { PatchApi } from '../contracts.ts';
import { jsonPatch } from './json-patch.ts';
import { updateManagedFields } from './managed-fields.ts';
import { mergePatch } from './merge-patch.ts';
import { serverSideApply } from './server-side-apply.ts';
import { strategicMergePatch } from './strategic-merge-patch.ts';

export const patchApi: PatchApi = { jsonPatch, mergePatch, strategicMergePatch, serverSideApply, updateManagedFields };
