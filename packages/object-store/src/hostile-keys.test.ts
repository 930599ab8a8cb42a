import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { encodeKey, signedRequest, type RawRequest } from './test-client.fixture.ts';
import { useStore } from './test-store.fixture.ts';

const { account } = useStore();
const signed = (options: Partial<RawRequest>) => signedRequest(account(), { method: 'GET', path: '/hostile', ...options });
beforeAll(async () => void (await signed({ method: 'PUT' })));

/** What has gone wrong in stores before. */
const piece = fc.oneof(
  fc.constantFrom(
    ' ',
    '+',
    '%2F',
    '%',
    '&',
    '=',
    '?',
    '#',
    '..',
    '.',
    '/',
    '*',
    '~',
    '\\',
    '"',
    "'",
    '<',
    '>',
    '\t',
    '\n',
    '\r',
    '\x01',
    '\x7f',
    'é',
    'é',
    '😀',
    '\u2028',
    '\ud7ff',
    '\uffff',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const anyKey = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join(''));

/** MinIO's rules. */
function expected(key: string): string | undefined {
  const trimmed = key.startsWith('/') ? key.replace(/\/+/g, '/').slice(1) : key;
  if (trimmed === '') return 'bucket';
  if (trimmed.split('/').some((part) => part === '.' || part === '..')) return 'XMinioInvalidResourceName';
  if (trimmed.includes('//') || trimmed.includes('\0') || trimmed.includes('\ufffd')) return 'XMinioInvalidObjectName';
  return undefined;
}

it('keeps every key apart from every other, and gives each back as it came', async () => {
  const kept = new Map<string, string>();
  await fc.assert(
    fc.asyncProperty(anyKey, async (key) => {
      const wrong = expected(key);
      if (wrong === 'bucket') return;
      const path = `/hostile/${encodeKey(key)}`;
      const answer = await signed({ method: 'PUT', path, body: key });
      expect([answer.status, answer.code]).toEqual(wrong ? [400, wrong] : [200, undefined]);
      if (!wrong) kept.set(key.startsWith('/') ? key.replace(/\/+/g, '/').slice(1) : key, key);
    }),
    { numRuns: 200 },
  );
  for (const [key, body] of kept) expect((await signed({ path: `/hostile/${encodeKey(key)}` })).body.toString()).toBe(body);
  const listed: string[] = [];
  for (let after = ''; ; after = listed.at(-1)!) {
    const { body } = await signed({ query: { 'list-type': '2', 'encoding-type': 'url', 'max-keys': '7', 'start-after': after } });
    const keys = [...body.toString().matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => decodeURIComponent(key!.replaceAll('+', ' ')));
    listed.push(...keys);
    if (body.toString().includes('<IsTruncated>false')) break;
  }
  expect(listed).toEqual([...kept.keys()].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
}, 120_000);

it('lists by any prefix and delimiter what a plain reading of the rules gives', async () => {
  const { body: all } = await signed({ query: { 'list-type': '2', 'encoding-type': 'url', 'max-keys': '1000' } });
  const keys = [...all.toString().matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => decodeURIComponent(key!.replaceAll('+', ' ')));
  const part = fc.tuple(fc.constantFrom(...keys), fc.nat(3)).map(([key, length]) => [...key].slice(0, length).join(''));
  const delimiter = fc.constantFrom('', '/', '.', '%2F', 'é', '😀', ' ');
  await fc.assert(
    fc.asyncProperty(
      part,
      delimiter,
      fc.constantFrom('', ...keys),
      fc.integer({ min: 1, max: 9 }),
      async (prefix, separator, after, size) => {
        fc.pre(prefix === '' || (expected(prefix) === undefined && !prefix.startsWith('/')));
        const wanted = { keys: new Set<string>(), prefixes: new Set<string>() };
        const isAfter = (text: string) => Buffer.compare(Buffer.from(text), Buffer.from(after)) > 0;
        for (const key of keys.filter((one) => one.startsWith(prefix))) {
          const end = separator === '' ? -1 : key.indexOf(separator, prefix.length);
          const common = key.slice(0, end + separator.length);
          // A common prefix counts when something that it stands for comes after.
          if (end >= 0 && isAfter(key) && common !== after) wanted.prefixes.add(common);
          else if (end < 0 && isAfter(key)) wanted.keys.add(key);
        }
        const found = { keys: [] as string[], prefixes: [] as string[] };
        for (let token: string | undefined; ;) {
          const { body, status } = await signed({
            query: {
              'list-type': '2',
              'encoding-type': 'url',
              'max-keys': String(size),
              prefix,
              delimiter: separator,
              ...(token === undefined ? { 'start-after': after } : { 'continuation-token': token }),
            },
          });
          expect(status).toBe(200);
          const text = body.toString();
          const names = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => decodeURIComponent(name!.replaceAll('+', ' ')));
          const page = { keys: names(/<Key>(.*?)<\/Key>/g), prefixes: names(/<CommonPrefixes><Prefix>(.*?)<\/Prefix>/g) };
          expect(page.keys.length + page.prefixes.length).toBeLessThanOrEqual(size);
          found.keys.push(...page.keys);
          found.prefixes.push(...page.prefixes);
          token = /<NextContinuationToken>(.*?)</.exec(text)?.[1];
          if (token === undefined) break;
        }
        expect(found).toEqual({ keys: [...wanted.keys], prefixes: [...wanted.prefixes] });
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);

it.each([
  ['x'.repeat(1025), 'KeyTooLongError'],
  ['é'.repeat(513), 'KeyTooLongError'],
  ['x'.repeat(256), 'XMinioInvalidObjectName'],
])('refuses keys and parts of them that are too long', async (key, code) => {
  expect(await signed({ method: 'PUT', path: `/hostile/${encodeKey(key)}`, body: 'x' })).toMatchObject({ status: 400, code });
});

it('takes the longest key that there is', async () => {
  const key = `${'x'.repeat(255)}/`.repeat(4).slice(0, 1024);
  expect(await signed({ method: 'PUT', path: `/hostile/${key}`, body: 'x' })).toMatchObject({ status: 200 });
  expect((await signed({ path: `/hostile/${key}` })).body.toString()).toBe('x');
});

it.each(['/hostile/%', '/hostile/%zz', '/hostile/%ff', '/hostile/%c0%af', '/hostile/%ed%a0%80', '/%2e%2e/x', '/hostile%2Fkey'])(
  'refuses %s',
  async (path) => {
    expect((await signed({ path })).status).toBeGreaterThanOrEqual(400);
  },
);
