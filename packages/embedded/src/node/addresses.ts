import { createHash } from 'node:crypto';

/** Hands out loopback addresses: one to each pod, so that every engine keeps its standard port. */
export interface Addresses {
  take(wanted?: string): string;
  release(address: string): void;
}

/** @param seed names the cluster, so that two clusters on one machine use different addresses. */
export function openAddresses(seed: string): Addresses {
  const [first = 0, second = 0] = createHash('sha256').update(seed).digest();
  // 127.0.0.0/16 is left to everybody else's services.
  const prefix = `127.${1 + (first % 254)}`;
  const taken = new Set<string>();
  function* candidates(): Generator<string> {
    for (let third = 0; third < 256; third++) for (let last = 2; last < 255; last++) yield `${prefix}.${(second + third) % 256}.${last}`;
  }
  return {
    take(wanted) {
      if (wanted?.startsWith(`${prefix}.`) && !taken.has(wanted)) {
        taken.add(wanted);
        return wanted;
      }
      for (const address of candidates()) {
        if (taken.has(address)) continue;
        taken.add(address);
        return address;
      }
      throw new Error('every address for pods is taken');
    },
    release: (address) => void taken.delete(address),
  };
}
