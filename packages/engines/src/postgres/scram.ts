import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** The server's own default. */
const iterations = 4096;
const saltBytes = 16;

/**
 * What PostgreSQL keeps of a password, so that the password itself reaches neither the server's log nor its memory. The password is
 * ASCII, which the protocol's normalization leaves as it is. https://www.rfc-editor.org/rfc/rfc5803
 */
export function scramVerifier(password: string, salt = randomBytes(saltBytes)): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const key = (name: string) => createHmac('sha256', salted).update(name).digest();
  const storedKey = createHash('sha256').update(key('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${key('Server Key').toString('base64')}`;
}

/** Of a verifier; another one when there is none. */
export const saltOf = (verifier: string | null | undefined) => {
  const salt = /^SCRAM-SHA-256\$\d+:([^$]+)\$/.exec(verifier ?? '')?.[1];
  return salt === undefined ? undefined : Buffer.from(salt, 'base64');
};
