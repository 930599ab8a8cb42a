import { S3Error } from '../errors.ts';
import { childText, parseXml, xmlElement, xmlHeader } from '../xml.ts';
import type { Call } from './call.ts';
import { noSuchKey } from './get-object.ts';
import { checkTags } from './metadata.ts';
import { checkVersion } from './version.ts';

export async function getTagging(call: Call): Promise<void> {
  call.require('s3:GetObjectTagging');
  checkVersion(call);
  const record = await call.storage.objects.find(call.bucket, call.key);
  if (!record) throw noSuchKey(call);
  const tags = Object.entries(record.tags ?? {}).map(([Key, Value]) => ({ Key, Value }));
  call.answerText(xmlHeader + xmlElement('Tagging', { TagSet: { Tag: tags } }));
}

export async function putTagging(call: Call): Promise<void> {
  call.require('s3:PutObjectTagging');
  checkVersion(call);
  const root = parseXml(await call.document());
  const set = root.children.find(({ name }) => name === 'TagSet');
  if (root.name !== 'Tagging' || !set) throw new S3Error('MalformedXML');
  await replaceTags(call, checkTags(set.children.map((tag) => [childText(tag, 'Key') ?? '', childText(tag, 'Value') ?? ''] as const)));
  call.answerEmpty(200);
}

export async function deleteTagging(call: Call): Promise<void> {
  call.require('s3:DeleteObjectTagging');
  checkVersion(call);
  await replaceTags(call, undefined);
  call.answerEmpty(204);
}

async function replaceTags(call: Call, tags: Record<string, string> | undefined): Promise<void> {
  await call.storage.objects.update(call.bucket, call.key, (existing) => {
    if (!existing) throw noSuchKey(call);
    return { ...existing, tags };
  });
}
