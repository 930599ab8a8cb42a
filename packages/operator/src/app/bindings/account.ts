import { createHash } from 'node:crypto';

/** The longest name of an account that every engine takes: MySQL's. https://dev.mysql.com/doc/refman/9.4/en/identifier-length.html */
const usernameLimit = 32;
/** Hex digits of a hash that keep two long names apart after they were cut. */
const hashLength = 8;

/** The account that an app has in every service it is bound to. Apps have no "_" in their names, so no two get the same. */
export function usernameOf(app: string): string {
  const name = `app_${app.replaceAll('-', '_')}`;
  if (name.length <= usernameLimit) return name;
  const hash = createHash('sha256').update(app).digest('hex').slice(0, hashLength);
  return `${name.slice(0, usernameLimit - hashLength - 1)}_${hash}`;
}
