import { describe, expect, it } from 'vitest';
import { openBody, sealBody } from './sealed-body.ts';

const secret = 'Secret0123456789';

describe('a sealed body', () => {
  it.each([0, 1, 16_383, 16_384, 16_385, 40_000])('of %i bytes opens with the secret that sealed it', async (length) => {
    const plain = Buffer.alloc(length, 'sealed');
    const sealed = await sealBody(secret, plain);
    expect(sealed.includes('sealed')).toBe(false);
    expect(await openBody(secret, sealed)).toEqual(plain);
  });
  it('opens with no other secret', async () => {
    await expect(openBody('another', await sealBody(secret, 'text'))).rejects.toMatchObject({ reason: 'not authentic' });
  });
  it('does not open once a byte of it was changed, nor cut at the end of a chunk', async () => {
    const sealed = await sealBody(secret, Buffer.alloc(40_000));
    for (const at of [0, 40, 100, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      await expect(openBody(secret, changed)).rejects.toMatchObject({ reason: 'not authentic' });
    }
    await expect(openBody(secret, sealed.subarray(0, 41 + 2 * (16_384 + 16)))).rejects.toMatchObject({ reason: 'not authentic' });
  });
  it('is refused as unsupported when its key is made by Argon2id, and as malformed when it is too short', async () => {
    const sealed = await sealBody(secret, 'text');
    sealed[32] = 0;
    await expect(openBody(secret, sealed)).rejects.toMatchObject({ reason: 'unsupported' });
    await expect(openBody(secret, sealed.subarray(0, 50))).rejects.toMatchObject({ reason: 'malformed' });
  });
});
