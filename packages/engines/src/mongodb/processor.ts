/** What the processor lacks to run MongoDB, as a sentence; `undefined` when it lacks nothing, or that cannot be told. @param cpuinfo content of /proc/cpuinfo */
export function refusesProcessor(cpuinfo: string, architecture: string): string | undefined {
  const lists = (line: string, features: readonly string[]) =>
    [...cpuinfo.matchAll(new RegExp(`^${line}\\s*:(.*)$`, 'gm'))].some(([, all = '']) =>
      all.split(/\s+/).some((feature) => features.includes(feature)),
    );
  // https://www.mongodb.com/docs/manual/administration/production-notes/#x86_64
  if (architecture === 'x64' && /^flags\s*:/m.test(cpuinfo) && !lists('flags', ['avx']))
    return 'The processor of this machine has no AVX instructions, which MongoDB 5.0 and later need.';
  if (architecture === 'arm64' && /^Features\s*:/m.test(cpuinfo) && !lists('Features', armv82Features))
    return 'The processor of this machine is older than ARMv8.2-A, which MongoDB 5.0 and later need.';
  return undefined;
}

/** Linux names no version of the architecture; a processor of ARMv8.2-A has one of these at least, which it introduced. */
const armv82Features = ['fphp', 'dcpop', 'sha3', 'sm3', 'sm4', 'asimddp', 'sha512', 'sve'];
