import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findRunning, limitLog, recordRunning } from './embedded-process.ts';

const hasPs = spawnSync('ps', ['-o', 'lstart=', '-p', String(process.pid)]).status === 0;

describe.each([...(process.platform === 'linux' ? ['linux'] : []), ...(hasPs ? ['darwin'] : [])])('on %s, a noted process', (platform) => {
  const real = Object.getOwnPropertyDescriptor(process, 'platform')!;
  let folder: string;
  let record: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kip-running-'));
    mkdirSync(join(folder, 'embedded'));
    record = join(folder, 'embedded', 'running.json');
    vi.stubEnv('KIP_HOME', folder);
    Object.defineProperty(process, 'platform', { ...real, value: platform });
  });
  afterEach(() => {
    Object.defineProperty(process, 'platform', real);
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('is found again, from shells of other languages and time zones too', () => {
    recordRunning({ server: 'https://127.0.0.1:1' });
    vi.stubEnv('TZ', 'Asia/Tokyo');
    vi.stubEnv('LC_ALL', 'de_DE.UTF-8');
    expect(findRunning()).toMatchObject({ pid: process.pid, server: 'https://127.0.0.1:1' });
  });

  it('is not taken for another that has its number by now', () => {
    recordRunning();
    const { pid, startTime } = JSON.parse(readFileSync(record, 'utf8')) as { pid: number; startTime: string };
    // As a boot of the machine leaves it.
    const earlier = startTime.replace(/\d/, (digit) => String((Number(digit) + 1) % 10));
    writeFileSync(record, JSON.stringify({ pid, startTime: earlier }));
    expect(findRunning()).toBeUndefined();
  });
});

it("continues a log that has grown too large, where it is this process's own", () => {
  const folder = mkdtempSync(join(tmpdir(), 'kip-log-'));
  vi.stubEnv('KIP_HOME', folder);
  mkdirSync(join(folder, 'embedded'));
  const [log, other] = [join(folder, 'embedded', 'log'), join(folder, 'other')];
  const large = 'x'.repeat(5 << 20);
  const descriptors = [log, other].map((file) => openSync(file, 'a'));
  try {
    for (const descriptor of descriptors) {
      writeSync(descriptor, large);
      limitLog(descriptor);
      writeSync(descriptor, 'next');
    }
    expect(readFileSync(log, 'utf8')).toBe('next');
    expect(readFileSync(`${log}.1`, 'utf8')).toBe(large);
    expect(readFileSync(other, 'utf8')).toBe(`${large}next`);
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});

it("says so where what is noted is another user's", () => {
  const folder = mkdtempSync(join(tmpdir(), 'kip-theirs-'));
  vi.stubEnv('KIP_HOME', folder);
  mkdirSync(join(folder, 'embedded'));
  recordRunning({ server: 'https://127.0.0.1:1' });
  chmodSync(folder, process.getuid?.() === 0 ? 0o700 : 0);
  // Root may look everywhere.
  if (process.getuid?.() === 0) process.seteuid!(65_534);
  try {
    expect(() => findRunning()).toThrow(expect.objectContaining({ code: 'forbidden' }));
  } finally {
    if (process.getuid?.() === 0) process.seteuid!(0);
    chmodSync(folder, 0o700);
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});
