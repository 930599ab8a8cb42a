import { createCipheriv, createDecipheriv, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * The encryption of MinIO's admin API: bodies that hold secrets are sealed with the caller's secret key, since the API also goes
 * over plain HTTP. A salt of 32 bytes, one byte that names key derivation and cipher, a nonce of 8, then the chunks of
 * https://github.com/secure-io/sio: up to 16 KiB each with a tag, numbered from 1, and the last one marked.
 */
const saltBytes = 32;
const nonceBytes = 8;
const headerBytes = saltBytes + 1 + nonceBytes;
const chunkBytes = 16_384;
const tagBytes = 16;
/** PBKDF2 with SHA-256, and AES-256-GCM. The others (0 and 1) derive the key with Argon2id, which Node 20 has not. */
const pbkdf2WithAesGcm = 2;
const pbkdf2Rounds = 8_192;
/** What marks a chunk as the last one. */
const lastMark = 0x80;

const derive = promisify(pbkdf2);

/** A sealed body cannot be opened. */
export class SealedBodyError extends Error {
  override readonly name = 'SealedBodyError';
  /** `unsupported`: sealed in a way that this program does not know, and nothing is said of its content. */
  readonly reason: 'malformed' | 'unsupported' | 'not authentic';
  constructor(reason: SealedBodyError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** @param secret the caller's secret key. */
export async function sealBody(secret: string, body: string | Buffer): Promise<Buffer> {
  const salt = randomBytes(saltBytes);
  const nonce = randomBytes(nonceBytes);
  const key = await derive(secret, salt, pbkdf2Rounds, 32, 'sha256');
  const plain = Buffer.from(body);
  const sealed = [salt, Buffer.of(pbkdf2WithAesGcm), nonce];
  for (let start = 0, number = 1; number === 1 || start < plain.length; start += chunkBytes, number += 1) {
    const isLast = start + chunkBytes >= plain.length;
    const cipher = createCipheriv('aes-256-gcm', key, chunkNonce(nonce, number));
    cipher.setAAD(associatedData(key, nonce, isLast));
    sealed.push(cipher.update(plain.subarray(start, start + chunkBytes)), cipher.final(), cipher.getAuthTag());
  }
  return Buffer.concat(sealed);
}

/** @throws SealedBodyError */
export async function openBody(secret: string, sealed: Buffer): Promise<Buffer> {
  if (sealed.length < headerBytes + tagBytes) throw new SealedBodyError('malformed', 'The body is too short to be a sealed one.');
  const kind = sealed[saltBytes];
  if (kind !== pbkdf2WithAesGcm)
    throw new SealedBodyError(
      'unsupported',
      `The body is sealed with a key by Argon2id (kind ${kind}); only PBKDF2 (kind 2) is understood.`,
    );
  const nonce = sealed.subarray(saltBytes + 1, headerBytes);
  const key = await derive(secret, sealed.subarray(0, saltBytes), pbkdf2Rounds, 32, 'sha256');
  const plain: Buffer[] = [];
  const wholeBytes = chunkBytes + tagBytes;
  for (let start = headerBytes, number = 1; start < sealed.length; start += wholeBytes, number += 1) {
    const chunk = sealed.subarray(start, start + wholeBytes);
    const isLast = start + wholeBytes >= sealed.length;
    if (chunk.length < tagBytes) throw new SealedBodyError('malformed', 'The last chunk of the sealed body is cut off.');
    const decipher = createDecipheriv('aes-256-gcm', key, chunkNonce(nonce, number), { authTagLength: tagBytes });
    decipher.setAAD(associatedData(key, nonce, isLast));
    decipher.setAuthTag(chunk.subarray(-tagBytes));
    plain.push(decipher.update(chunk.subarray(0, -tagBytes)));
    try {
      plain.push(decipher.final());
    } catch {
      throw new SealedBodyError('not authentic', 'The sealed body was changed, or sealed with another secret key.');
    }
  }
  return Buffer.concat(plain);
}

function chunkNonce(nonce: Buffer, number: number): Buffer {
  const whole = Buffer.alloc(nonceBytes + 4);
  nonce.copy(whole);
  whole.writeUInt32LE(number, nonceBytes);
  return whole;
}

/** A mark, and the tag of nothing under the number 0, which binds every chunk to the stream. */
function associatedData(key: Buffer, nonce: Buffer, isLast: boolean): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, chunkNonce(nonce, 0));
  cipher.final();
  return Buffer.concat([Buffer.of(isLast ? lastMark : 0), cipher.getAuthTag()]);
}
