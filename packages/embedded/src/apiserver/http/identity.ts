import { createHash, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The cluster's own authority, its server's certificate, and the tokens that are accepted. */
export interface Identity {
  ca: string;
  certificate: string;
  key: string;
  tokens: Record<Role, string>;
}

export type Role = 'admin' | 'view';

const yearMs = 365 * 86_400_000;
/** Made anew when less than this is left. */
const renewBeforeMs = 30 * 86_400_000;

/** Reads the identity that is kept in `folder`, or makes one. Tokens outlive certificates. */
export async function loadIdentity(folder: string): Promise<Identity> {
  const file = join(folder, 'identity.json');
  const kept = readIdentity(file);
  if (kept && isFresh(kept)) return kept;
  const identity: Identity = { ...(await makeCertificates()), tokens: kept?.tokens ?? { admin: token(), view: token() } };
  writePrivately(file, JSON.stringify(identity));
  return identity;
}

function readIdentity(file: string): Identity | undefined {
  try {
    const identity = JSON.parse(readFileSync(file, 'utf8')) as Identity;
    return identity.tokens.admin.length >= 32 && identity.tokens.view.length >= 32 ? identity : undefined;
  } catch {
    return undefined;
  }
}

function isFresh({ certificate, ca }: Identity): boolean {
  try {
    return [certificate, ca].every((pem) => Date.parse(new X509Certificate(pem).validTo) - Date.now() > renewBeforeMs);
  } catch {
    return false;
  }
}

async function makeCertificates(): Promise<{ ca: string; certificate: string; key: string }> {
  const { generate } = await import('selfsigned');
  const common = {
    keyType: 'ec' as const,
    curve: 'P-256' as const,
    algorithm: 'sha256' as const,
    notBeforeDate: new Date(Date.now() - 86_400_000),
    notAfterDate: new Date(Date.now() + yearMs),
  };
  const authority = await generate([{ name: 'commonName', value: 'kip embedded cluster' }], {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
    ],
  });
  const server = await generate([{ name: 'commonName', value: 'kip' }], {
    ...common,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 2, value: 'kubernetes.default.svc' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { ca: authority.cert, certificate: server.cert, key: server.private };
}

function token(): string {
  return randomBytes(32).toString('base64url');
}

/** Whole or not at all, for this user only. */
export function writePrivately(file: string, text: string): void {
  const unfinished = `${file}.${process.pid}.new`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, file);
}

/** Who sends an Authorization header; undefined for nobody we know. Takes as long for a wrong token as for a right one. */
export function roleOf(authorization: string | undefined, { tokens }: Identity): Role | undefined {
  const given = digest(/^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? '');
  const admin = timingSafeEqual(given, digest(tokens.admin));
  const view = timingSafeEqual(given, digest(tokens.view));
  return admin ? 'admin' : view ? 'view' : undefined;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
