import { randomInt } from 'node:crypto';

/** Letters and digits only: nothing that a URL, a shell, YAML or a connection string reads as anything else. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** 190 bits. */
const passwordLength = 32;

/** From a cryptographic source, every character equally likely. */
export function newPassword(): string {
  return Array.from({ length: passwordLength }, () => alphabet[randomInt(alphabet.length)]).join('');
}
