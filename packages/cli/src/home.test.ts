import { describe, expect, it } from 'vitest';
import { inHome } from './home.ts';

describe("what fails in this user's folder", () => {
  const failing = (code: string) => () =>
    inHome(() => {
      throw Object.assign(new Error(`${code}: no`), { code });
    });
  it.each([
    ['EACCES', 'forbidden', 'chown'],
    ['EROFS', 'forbidden', 'KIP_HOME'],
    ['ENOSPC', 'disk-full', 'Make room'],
  ])('is told with the mend: %s', (code, kind, mend) =>
    expect(failing(code)).toThrow(expect.objectContaining({ code: kind, hint: expect.stringContaining(mend) })),
  );
  it('is a bug otherwise', () => expect(failing('EISDIR')).toThrow('EISDIR: no'));
});
