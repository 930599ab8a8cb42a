import { createHash } from 'node:crypto';

const sha1 = (data: string | Buffer): Buffer => createHash('sha1').update(data).digest();

/** What MariaDB keeps of a password by default, so that the password itself stands in no statement. https://mariadb.com/kb/en/authentication-plugin-mysql_native_password/ */
export function nativePasswordHash(password: string): string {
  return `*${sha1(sha1(password)).toString('hex').toUpperCase()}`;
}
