import { gunzipSync } from 'node:zlib';
import { packedDescriptions } from './data/descriptions.ts';

type Descriptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** They are big and rarely asked for: the answer made of them is cached by its reader, they themselves are let go again. */
let unpacked: WeakRef<Descriptions> | undefined;

function descriptions(): Descriptions {
  let texts = unpacked?.deref();
  if (!texts) {
    texts = JSON.parse(gunzipSync(Buffer.from(packedDescriptions, 'base64')).toString()) as Descriptions;
    unpacked = new WeakRef(texts);
  }
  return texts;
}

export function describeType(type: string): string | undefined {
  return descriptions()[type]?.[''];
}

export function describeField(type: string, field: string): string | undefined {
  return descriptions()[type]?.[field];
}
