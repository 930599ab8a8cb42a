/** Options of every server besides where it listens and keeps its data. */
export const commonOptions = [
  // Names of hosts play no part in accounts, and looking them up delays each login.
  '--skip-name-resolve',
  '--character-set-server=utf8mb4',
  // Statements neither read nor write files of the server.
  '--local-infile=0',
];

/** What a server needs besides its buffer pool, in bytes. */
const besidesThePool = 400 << 20;
const smallestPool = 64 << 20;
/** In percent, of what the memory limit leaves; the rest is for connections and sorting. */
const poolShare = 75;

/** Bytes of the buffer pool for a memory limit, as a shell's arithmetic. */
export const poolArithmetic = (limit: string): string =>
  `${limit} > ${besidesThePool} + ${smallestPool} * 100 / ${poolShare} ? (${limit} - ${besidesThePool}) / 100 * ${poolShare} : ${smallestPool}`;

/** The same, computed here. */
export function poolSize(limit: number): number {
  return Math.max(smallestPool, Math.floor(((limit - besidesThePool) / 100) * poolShare));
}
