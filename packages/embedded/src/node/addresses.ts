import { createHash } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { KipError } from '@skipper/api';

/** Hands out loopback addresses: one to each pod, so that every engine keeps its standard port. */
export interface Addresses {
  /** @param wanted is given when it is free. @throws KipError `unsupported` when there is no address left. */
  take(wanted?: string): string;
  release(address: string): void;
}

/** @param seed names the cluster, so that two clusters on one machine use different addresses. */
export function openAddresses(seed: string): Addresses {
  const taken = new Set<string>();
  const { isPossible, candidates } = process.platform === 'linux' ? wholeLoopback(seed) : configuredLoopback();
  return {
    take(wanted) {
      if (wanted && isPossible(wanted) && !taken.has(wanted)) {
        taken.add(wanted);
        return wanted;
      }
      for (const address of candidates()) {
        if (taken.has(address)) continue;
        taken.add(address);
        return address;
      }
      throw new KipError('unsupported', `All ${taken.size} loopback addresses of this machine are taken by other pods.`, {
        hint: 'Each pod needs one; add more, for example: sudo ifconfig lo0 alias 127.0.0.2 up',
      });
    },
    release: (address) => void taken.delete(address),
  };
}

interface Pool {
  isPossible(address: string): boolean;
  candidates(): Iterable<string>;
}

/** Linux answers on all of 127.0.0.0/8; 127.0.0.0/16 is left to everybody else's services. */
function wholeLoopback(seed: string): Pool {
  const [first = 0, second = 0] = createHash('sha256').update(seed).digest();
  const prefix = `127.${1 + (first % 254)}.`;
  return {
    isPossible: (address) => address.startsWith(prefix),
    *candidates() {
      for (let third = 0; third < 256; third++) for (let last = 2; last < 255; last++) yield `${prefix}${(second + third) % 256}.${last}`;
    },
  };
}

/** Elsewhere only what somebody has configured; 127.0.0.1 too, which a machine's own services use. */
function configuredLoopback(): Pool {
  const configured = (): string[] =>
    Object.values(networkInterfaces())
      .flat()
      .filter((at) => at?.internal && at.family === 'IPv4')
      .map((at) => at!.address);
  return {
    isPossible: (address) => configured().includes(address),
    candidates: () => configured().sort((a, b) => Number(a === '127.0.0.1') - Number(b === '127.0.0.1')),
  };
}
