import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildProgram } from '../program.ts';
import { complete, completion } from './completion.ts';
import { printed, runningService, startTestApi, type TestApi } from './test-api.fixture.ts';

describe('complete', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi({
      ...runningService('db', 'postgres', 5432),
      'apps/api': { metadata: { name: 'api' }, spec: { image: 'api:1' } },
    });
  });
  afterAll(() => api.close());
  beforeEach(() => void vi.stubEnv('KUBECONFIG', api.kubeconfig).stubEnv('KIP_HOME', dirname(api.kubeconfig)));
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });

  async function offered(line: string): Promise<string[]> {
    const words = line.split(' ').slice(1);
    const { stdout } = printed();
    await complete(buildProgram(words), words);
    vi.restoreAllMocks();
    return stdout()
      .split('\n')
      .filter(Boolean)
      .map((text) => text.split('\t')[0]!);
  }

  it.each([
    ['kip clu', ['cluster']],
    ['kip app env ', ['list', 'set', 'unset', 'api']],
    ['kip app env a', ['api']],
    ['kip app env --project shop a', ['api']],
    ['kip app env api ', []],
    ['kip app env set ', ['api']],
    ['kip service add ', ['postgres', 'mysql', 'mongodb', 'redis', 'rabbitmq', 'opensearch', 'minio']],
    ['kip service add --name db my', ['mysql']],
    ['kip service add --name service my', ['mysql']],
    ['kip service add postgres ', []],
    ['kip service add postgres --name ', []],
    ['kip service add postgres --project ', []],
    ['kip service info ', ['db']],
    ['kip service info -o ', ['text', 'json', 'yaml']],
    ['kip service info --output y', ['yaml']],
    ['kip service info --output=y', ['--output=yaml']],
    // As bash has it.
    ['kip service info --output =', ['text', 'json', 'yaml']],
    ['kip service info --output = y', ['yaml']],
    ['kip service bind --project = shop db ', ['api']],
    ['kip service bind --project=shop db ', ['api']],
    ['kip app deploy --env A = 1 ', ['api']],
    ['kip --context nowhere service info ', []],
    ['kip --context=nowhere service info ', []],
    ['kip apply -f sh', []],
    ['kip app deploy --env-file ', []],
    ['kip --kubeconfig ', []],
    ['kip cluster use ', ['embedded', 'test']],
    ['kip cluster use test ', []],
    ['kip completion z', ['zsh']],
  ])('%s', async (line, candidates) => expect(await offered(line)).toEqual(candidates));

  it('follows the default to its options', async () =>
    expect(await offered('kip app env api --')).toEqual(expect.arrayContaining(['--reveal', '--project', '--output', '--context'])));
});

describe('completion for bash', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kip-completion-'));
    const { stdout } = printed();
    completion('bash');
    writeFileSync(join(folder, 'kip.bash'), stdout());
    vi.restoreAllMocks();
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const bash = (script: string): string => execFileSync('bash', ['-c', `source ${folder}/kip.bash; ${script}`], { encoding: 'utf8' });

  it('offers what kip says, without descriptions', () =>
    expect(
      bash(`kip() { printf '%s\\tof it\\n' "$#" "[$3]"; }; COMP_WORDS=(kip service ''); COMP_CWORD=2; _kip; echo "\${COMPREPLY[*]}"`),
    ).toBe('4 [service]\n'));
  it('offers files where kip says nothing', () => expect(bash('complete -p kip')).toContain('-o default'));
});
