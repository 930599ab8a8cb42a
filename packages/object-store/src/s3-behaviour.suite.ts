import { randomBytes } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetBucketLocationCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sdkClient, type Account } from './test-client.fixture.ts';

const partBytes = 5 << 20;
const forAMinute = { expiresIn: 60 };

/** What is relied on of S3, by way of the AWS SDK. Passes on MinIO as well: where a store differs from it, that store is wrong. */
export function s3Behaviour(account: () => Account): void {
  let s3: S3Client;
  const bucket = `suite-${randomBytes(4).toString('hex')}`;
  const put = (key: string, body: string | Buffer = key, more: object = {}) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...more }));
  const get = (key: string, more: object = {}) => s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...more }));
  const head = (key: string, more: object = {}) => s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ...more }));
  const text = async (key: string, more: object = {}) => (await get(key, more)).Body!.transformToString();

  beforeAll(async () => {
    s3 = sdkClient(account());
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  });
  afterAll(async () => {
    await emptyBucket(s3, bucket);
    s3.destroy();
  });

  describe('buckets', () => {
    it('are made, found, listed and deleted', async () => {
      const name = `${bucket}-b`;
      expect(await s3.send(new CreateBucketCommand({ Bucket: name }))).toMatchObject({ Location: `/${name}` });
      await s3.send(new HeadBucketCommand({ Bucket: name }));
      const { Buckets } = await s3.send(new ListBucketsCommand({}));
      expect(Buckets?.find(({ Name }) => Name === name)?.CreationDate?.getTime()).toBeGreaterThan(Date.now() - 3_600_000);
      expect((await s3.send(new GetBucketLocationCommand({ Bucket: name }))).LocationConstraint ?? '').toBe('');
      expect((await s3.send(new GetBucketVersioningCommand({ Bucket: name }))).Status).toBeUndefined();
      await s3.send(new DeleteBucketCommand({ Bucket: name }));
      expect(await failure(s3.send(new HeadBucketCommand({ Bucket: name })))).toMatchObject({ status: 404 });
    });

    it('are not made twice, nor deleted while they hold objects', async () => {
      expect(await failure(s3.send(new CreateBucketCommand({ Bucket: bucket })))).toEqual({ status: 409, code: 'BucketAlreadyOwnedByYou' });
      await put('held');
      expect(await failure(s3.send(new DeleteBucketCommand({ Bucket: bucket })))).toEqual({ status: 409, code: 'BucketNotEmpty' });
    });

    it.each(['ab', 'Upper', 'a..b', '1.2.3.4', 'under_score', '-a-', 'a.-b', 'x'.repeat(64)])('cannot be called %s', async (name) => {
      expect(await failure(s3.send(new CreateBucketCommand({ Bucket: name })))).toEqual({ status: 400, code: 'InvalidBucketName' });
    });

    it('that are not there are said to be so by everything', async () => {
      const none = { Bucket: `${bucket}-none`, Key: 'k' };
      const gone = { status: 404, code: 'NoSuchBucket' };
      expect(await failure(s3.send(new GetObjectCommand(none)))).toEqual(gone);
      expect(await failure(s3.send(new PutObjectCommand({ ...none, Body: 'x' })))).toEqual(gone);
      expect(await failure(s3.send(new DeleteObjectCommand(none)))).toEqual(gone);
      expect(await failure(s3.send(new ListObjectsV2Command(none)))).toEqual(gone);
      expect(await failure(s3.send(new CreateMultipartUploadCommand(none)))).toEqual(gone);
      expect(await failure(s3.send(new DeleteBucketCommand(none)))).toEqual(gone);
    });
  });

  describe('objects', () => {
    it.each([0, 1, 4096, 16_384, 16_385, 1 << 20, (3 << 20) + 7])('of %d bytes come back as they went', async (size) => {
      const data = randomBytes(size);
      const { ETag } = await put('sized', data);
      const answer = await get('sized');
      expect(Buffer.from(await answer.Body!.transformToByteArray()).equals(data)).toBe(true);
      expect(answer).toMatchObject({ ContentLength: size, ETag, AcceptRanges: 'bytes', ContentType: 'application/octet-stream' });
    });

    it('keep their headers and metadata', async () => {
      const said = {
        ContentType: 'text/css',
        CacheControl: 'max-age=5',
        ContentDisposition: 'attachment; filename="a.css"',
        ContentEncoding: 'gzip',
        ContentLanguage: 'de',
        ExpiresString: 'Wed, 21 Oct 2037 07:28:00 GMT',
        Metadata: { colour: 'dark  green', 'with-dash': 'x=y; z' },
      };
      await put('described', 'x', { ...said, Expires: new Date(said.ExpiresString) });
      expect(await head('described')).toMatchObject({
        ...said,
        Metadata: { ...said.Metadata, colour: expect.stringMatching(/^dark +green$/) },
      });
    });

    it('are replaced as a whole', async () => {
      await put('replaced', 'first', { Metadata: { a: '1' } });
      await put('replaced', 'second, longer');
      expect(await text('replaced')).toBe('second, longer');
      expect((await head('replaced')).Metadata).toEqual({});
    });

    it('are gone once deleted, and may be deleted again', async () => {
      await put('gone');
      for (let time = 0; time < 2; time++) await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'gone' }));
      expect(await failure(get('gone'))).toEqual({ status: 404, code: 'NoSuchKey' });
      expect(await failure(head('gone'))).toMatchObject({ status: 404 });
    });

    it.each([
      ['bytes=0-4', 'hello', 'bytes 0-4/11'],
      ['bytes=6-', 'world', 'bytes 6-10/11'],
      ['bytes=-5', 'world', 'bytes 6-10/11'],
      ['bytes=-50', 'hello world', 'bytes 0-10/11'],
      ['bytes=3-999', 'lo world', 'bytes 3-10/11'],
    ])('are read in part by %s', async (Range, expected, ContentRange) => {
      await put('ranged', 'hello world');
      const answer = await get('ranged', { Range });
      expect(await answer.Body!.transformToString()).toBe(expected);
      expect(answer).toMatchObject({ ContentRange, $metadata: { httpStatusCode: 206 } });
    });

    it.each(['bytes=11-', 'bytes=20-30', 'bytes=-0', 'bytes=5-2'])('have no part %s', async (Range) => {
      await put('ranged', 'hello world');
      expect(await failure(get('ranged', { Range }))).toEqual({ status: 416, code: 'InvalidRange' });
    });

    it.each(['bytes=0-1,3-4', 'lines=1-2', 'bytes=x-y'])('are read whole by %s', async (Range) => {
      await put('ranged', 'hello world');
      expect((await get('ranged', { Range })).$metadata.httpStatusCode).toBe(200);
    });

    it('are read on conditions', async () => {
      const { ETag } = await put('conditional', 'x');
      const past = new Date('2015-10-21T07:28:00Z');
      const future = new Date(Date.now() + 3_600_000);
      const failed = { status: 412, code: 'PreconditionFailed' };
      expect(await text('conditional', { IfMatch: ETag })).toBe('x');
      expect(await failure(get('conditional', { IfMatch: '"other"' }))).toEqual(failed);
      expect(await failure(get('conditional', { IfNoneMatch: ETag }))).toMatchObject({ status: 304 });
      expect(await text('conditional', { IfNoneMatch: '"other"' })).toBe('x');
      expect(await text('conditional', { IfModifiedSince: past })).toBe('x');
      expect(await failure(get('conditional', { IfModifiedSince: future }))).toMatchObject({ status: 304 });
      expect(await text('conditional', { IfUnmodifiedSince: future })).toBe('x');
      expect(await failure(get('conditional', { IfUnmodifiedSince: past }))).toEqual(failed);
    });

    it('are written on conditions', async () => {
      const failed = { status: 412, code: 'PreconditionFailed' };
      const { ETag } = await put('once', 'first', { IfNoneMatch: '*' });
      expect(await failure(put('once', 'second', { IfNoneMatch: '*' }))).toEqual(failed);
      expect(await failure(put('once', 'second', { IfMatch: '"other"' }))).toEqual(failed);
      expect(await failure(put('never', 'x', { IfMatch: '"other"' }))).toEqual({ status: 404, code: 'NoSuchKey' });
      await put('once', 'second', { IfMatch: ETag });
      expect(await text('once')).toBe('second');
    });

    it('are answered for with other headers on request', async () => {
      await put('overridden', 'x', { ContentType: 'text/css' });
      const answer = await get('overridden', {
        ResponseContentType: 'text/plain',
        ResponseContentDisposition: 'attachment',
        ResponseCacheControl: 'no-store',
        ResponseContentLanguage: 'nl',
        ResponseContentEncoding: 'br',
      });
      expect(answer).toMatchObject({
        ContentType: 'text/plain',
        ContentDisposition: 'attachment',
        CacheControl: 'no-store',
        ContentLanguage: 'nl',
        ContentEncoding: 'br',
      });
    });

    it.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)('keep a %s checksum', async (ChecksumAlgorithm) => {
      const answer = await put('checked', 'hello', { ChecksumAlgorithm });
      const field = `Checksum${ChecksumAlgorithm}` as const;
      expect(answer[field]).toMatch(/^[\w+/]+=*$/);
      expect((await head('checked', { ChecksumMode: 'ENABLED' }))[field]).toBe(answer[field]);
      expect(await text('checked', { ChecksumMode: 'ENABLED' })).toBe('hello');
      expect(await failure(put('checked', 'other', { [field]: answer[field] }))).toEqual({
        status: 400,
        code: 'XAmzContentChecksumMismatch',
      });
      expect(await text('checked')).toBe('hello');
    });

    it('have tags', async () => {
      const name = { Bucket: bucket, Key: 'tagged' };
      await put('tagged', 'x', { Tagging: 'a=1&b=with%20space' });
      expect((await head('tagged')) as object).toMatchObject({ TagCount: 2 });
      expect((await s3.send(new GetObjectTaggingCommand(name))).TagSet).toEqual([
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: 'with space' },
      ]);
      await s3.send(new PutObjectTaggingCommand({ ...name, Tagging: { TagSet: [{ Key: 'c', Value: 'ü:/=+-@' }] } }));
      expect((await s3.send(new GetObjectTaggingCommand(name))).TagSet).toEqual([{ Key: 'c', Value: 'ü:/=+-@' }]);
      await s3.send(new DeleteObjectTaggingCommand(name));
      expect((await s3.send(new GetObjectTaggingCommand(name))).TagSet).toEqual([]);
      const eleven = Array.from({ length: 11 }, (_, at) => ({ Key: `k${at}`, Value: '' }));
      expect(await failure(s3.send(new PutObjectTaggingCommand({ ...name, Tagging: { TagSet: eleven } })))).toEqual({
        status: 400,
        code: 'BadRequest',
      });
      expect(await failure(put('tagged', 'x', { Tagging: 'a=1&a=2' }))).toEqual({ status: 400, code: 'InvalidTag' });
      expect(await failure(put('tagged', 'x', { Tagging: 'a=%3C' }))).toEqual({ status: 400, code: 'InvalidTag' });
    });
  });

  describe('copies', () => {
    const copy = (key: string, source: string, more: object = {}) =>
      s3.send(new CopyObjectCommand({ Bucket: bucket, Key: key, CopySource: `${bucket}/${encodeURIComponent(source)}`, ...more }));

    it.each([10, 100_000])('of %d bytes keep metadata, or take others', async (size) => {
      const data = randomBytes(size);
      const { ETag } = await put('copy/from ü+', data, { ContentType: 'a/b', Metadata: { m: '1' } });
      expect((await copy('copy/to', 'copy/from ü+')).CopyObjectResult).toMatchObject({ ETag });
      expect(await head('copy/to')).toMatchObject({ ETag, ContentType: 'a/b', Metadata: { m: '1' } });
      await copy('copy/to', 'copy/from ü+', { MetadataDirective: 'REPLACE', ContentType: 'c/d', Metadata: { n: '2' } });
      expect(await head('copy/to')).toMatchObject({ ETag, ContentType: 'c/d', Metadata: { n: '2' } });
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'copy/from ü+' }));
      expect(Buffer.from(await (await get('copy/to')).Body!.transformToByteArray()).equals(data)).toBe(true);
    });

    it('on to itself need a change', async () => {
      await put('self', 'x', { Metadata: { a: '1' } });
      expect(await failure(copy('self', 'self'))).toEqual({ status: 400, code: 'InvalidRequest' });
      await copy('self', 'self', { MetadataDirective: 'REPLACE', Metadata: { b: '2' } });
      expect(await head('self')).toMatchObject({ Metadata: { b: '2' } });
      expect(await text('self')).toBe('x');
    });

    it('are made on conditions of the source', async () => {
      const { ETag } = await put('source', 'x');
      const failed = { status: 412, code: 'PreconditionFailed' };
      expect(await failure(copy('target', 'source', { CopySourceIfMatch: '"other"' }))).toEqual(failed);
      expect(await failure(copy('target', 'source', { CopySourceIfNoneMatch: ETag }))).toEqual(failed);
      expect(await failure(copy('target', 'source', { CopySourceIfModifiedSince: new Date(Date.now() + 3_600_000) }))).toEqual(failed);
      expect(await failure(copy('target', 'source', { CopySourceIfUnmodifiedSince: new Date(0) }))).toEqual(failed);
      await copy('target', 'source', { CopySourceIfMatch: ETag });
      expect(await failure(copy('target', 'nothing'))).toEqual({ status: 404, code: 'NoSuchKey' });
    });
  });

  describe('listings', () => {
    const prefix = 'list/';
    const keys = ['a', 'a b', 'b/1', 'b/2', 'b/c/3', 'b-', 'c', 'd/4', 'é', '😀', '～'].map((key) => prefix + key);
    const inOrder = keys.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    beforeAll(async () => {
      for (const key of keys) await put(key);
    });

    it.each([1, 2, 3, 1000])('come in pages of %d, in the order of bytes', async (MaxKeys) => {
      const listed: string[] = [];
      for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: prefix, MaxKeys })) {
        expect(page.KeyCount).toBe(page.Contents?.length ?? 0);
        listed.push(...(page.Contents ?? []).map(({ Key }) => Key!));
      }
      expect(listed).toEqual(inOrder);
    });

    it.each([1, 2, 3, 1000])('by version 1 come in pages of %d', async (MaxKeys) => {
      const listed: string[] = [];
      for (let Marker: string | undefined; ;) {
        const page = await s3.send(new ListObjectsCommand({ Bucket: bucket, Prefix: prefix, MaxKeys, Marker }));
        listed.push(...(page.Contents ?? []).map(({ Key }) => Key!));
        if (!page.IsTruncated) break;
        Marker = page.NextMarker ?? listed.at(-1);
      }
      expect(listed).toEqual(inOrder);
    });

    it.each([1, 2, 3, 1000])('by folder come in pages of %d', async (MaxKeys) => {
      const objects: string[] = [];
      const folders: string[] = [];
      for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: prefix, Delimiter: '/', MaxKeys })) {
        objects.push(...(page.Contents ?? []).map(({ Key }) => Key!));
        folders.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!));
      }
      expect(folders).toEqual([`${prefix}b/`, `${prefix}d/`]);
      expect(objects).toEqual(inOrder.filter((key) => !key.slice(prefix.length).includes('/')));
    });

    it('begin after a key, and may be of nothing', async () => {
      const list = (more: object) => s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...more }));
      const { Contents } = await list({ StartAfter: `${prefix}c` });
      expect(Contents?.map(({ Key }) => Key)).toEqual(inOrder.slice(inOrder.indexOf(`${prefix}c`) + 1));
      expect(await list({ MaxKeys: 0 })).toMatchObject({ KeyCount: 0, IsTruncated: false });
      expect(await list({ Prefix: 'nowhere/' })).toMatchObject({ KeyCount: 0, IsTruncated: false });
    });

    it('say size, time, tag and, when asked, owner', async () => {
      const { ETag } = await head(`${prefix}a`);
      const list = (more: object) => s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}a`, MaxKeys: 1, ...more }));
      const { Contents } = await list({});
      expect(Contents).toMatchObject([{ Size: 6, ETag, StorageClass: 'STANDARD' }]);
      expect(Contents![0]!.Owner).toBeUndefined();
      expect((await list({ FetchOwner: true })).Contents![0]!.Owner?.DisplayName).toBe('minio');
    });

    it('encode names on request', async () => {
      const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}a b`, EncodingType: 'url' }));
      expect(Contents![0]!.Key).toBe('list/a+b');
    });

    it('refuse tokens that they did not give', async () => {
      const bad = new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: '???' });
      expect(await failure(s3.send(bad))).toEqual({ status: 400, code: 'InvalidArgument' });
    });
  });

  describe('deleting many', () => {
    const remove = (names: string[], Quiet?: boolean) =>
      s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: names.map((Key) => ({ Key })), Quiet } }));

    it('deletes what is there and does not mind what is not', async () => {
      for (const key of ['many/<&>', 'many/2']) await put(key);
      const { Deleted, Errors } = await remove(['many/<&>', 'many/2', 'many/none']);
      expect(Deleted).toHaveLength(3);
      expect(Errors ?? []).toEqual([]);
      expect(await failure(get('many/<&>'))).toMatchObject({ status: 404 });
    });

    it('says nothing of what went well when asked to be quiet', async () => {
      await put('many/3');
      const { Deleted, Errors } = await remove(['many/3'], true);
      expect([Deleted ?? [], Errors ?? []]).toEqual([[], []]);
      expect(await failure(get('many/3'))).toMatchObject({ status: 404 });
    });

    it('takes a thousand at most', async () => {
      expect(await failure(remove(Array.from({ length: 1001 }, (_, at) => `x${at}`)))).toEqual({ status: 400, code: 'MalformedXML' });
    });
  });

  describe('uploads in parts', () => {
    const part = randomBytes(partBytes);
    const rest = randomBytes(1000);
    const start = async (Key: string, more: object = {}) => {
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key, ...more }));
      return { Bucket: bucket, Key, UploadId };
    };
    const send = (upload: object, PartNumber: number, Body: Buffer, more: object = {}) =>
      s3.send(new UploadPartCommand({ ...(upload as { Bucket: string; Key: string; UploadId: string }), PartNumber, Body, ...more }));
    const complete = (upload: object, Parts: object[]) =>
      s3.send(
        new CompleteMultipartUploadCommand({
          ...(upload as { Bucket: string; Key: string; UploadId: string }),
          MultipartUpload: { Parts },
        }),
      );

    it('become one object', async () => {
      const upload = await start('parts/one', { ContentType: 'x/y', Metadata: { p: 'q' } });
      const two = await send(upload, 2, rest);
      const one = await send(upload, 1, part);
      const listed = await s3.send(new ListPartsCommand(upload));
      expect(listed.Parts?.map(({ PartNumber, Size, ETag }) => ({ PartNumber, Size, ETag }))).toEqual([
        { PartNumber: 1, Size: partBytes, ETag: one.ETag },
        { PartNumber: 2, Size: 1000, ETag: two.ETag },
      ]);
      const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: 'parts/one' }));
      expect(Uploads?.map(({ Key, UploadId }) => [Key, UploadId])).toEqual([['parts/one', upload.UploadId]]);
      expect(await failure(head('parts/one'))).toMatchObject({ status: 404 });
      const { ETag } = await complete(upload, [
        { PartNumber: 1, ETag: one.ETag },
        { PartNumber: 2, ETag: two.ETag },
      ]);
      expect(ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
      expect(await head('parts/one')).toMatchObject({ ETag, ContentType: 'x/y', Metadata: { p: 'q' }, ContentLength: partBytes + 1000 });
      const data = Buffer.from(await (await get('parts/one')).Body!.transformToByteArray());
      expect(data.equals(Buffer.concat([part, rest]))).toBe(true);
      const across = await get('parts/one', { Range: `bytes=${partBytes - 3}-${partBytes + 2}` });
      expect(Buffer.from(await across.Body!.transformToByteArray()).equals(Buffer.concat([part.subarray(-3), rest.subarray(0, 3)]))).toBe(
        true,
      );
      expect(await head('parts/one', { PartNumber: 2 })).toMatchObject({
        PartsCount: 2,
        ContentLength: 1000,
        ContentRange: `bytes ${partBytes}-${partBytes + 999}/${partBytes + 1000}`,
      });
      expect(await failure(complete(upload, [{ PartNumber: 1, ETag: one.ETag }]))).toEqual({ status: 404, code: 'NoSuchUpload' });
      await s3.send(new CopyObjectCommand({ Bucket: bucket, Key: 'parts/copy', CopySource: `${bucket}/parts/one` }));
      const copied = Buffer.from(await (await get('parts/copy')).Body!.transformToByteArray());
      expect(copied.equals(Buffer.concat([part, rest]))).toBe(true);
    });

    it('are completed only with the parts they have, in order, large enough', async () => {
      const upload = await start('parts/refused');
      const one = { PartNumber: 1, ETag: (await send(upload, 1, rest)).ETag };
      const two = { PartNumber: 2, ETag: (await send(upload, 2, rest)).ETag };
      expect(await failure(complete(upload, [two, one]))).toEqual({ status: 400, code: 'InvalidPartOrder' });
      expect(await failure(complete(upload, [{ ...one, ETag: '"0123"' }]))).toEqual({ status: 400, code: 'InvalidPart' });
      expect(await failure(complete(upload, [{ ...one, PartNumber: 9 }]))).toEqual({ status: 400, code: 'InvalidPart' });
      expect(await failure(complete(upload, [one, two]))).toEqual({ status: 400, code: 'EntityTooSmall' });
      expect(await failure(send(upload, 10_001, rest))).toEqual({ status: 400, code: 'InvalidArgument' });
      await s3.send(new AbortMultipartUploadCommand(upload));
      expect(await failure(send(upload, 1, rest))).toEqual({ status: 404, code: 'NoSuchUpload' });
      expect(await failure(s3.send(new ListPartsCommand(upload)))).toEqual({ status: 404, code: 'NoSuchUpload' });
    });

    it('take a part again, and the last counts', async () => {
      const upload = await start('parts/again');
      const first = await send(upload, 1, rest);
      const second = await send(upload, 1, Buffer.from('the last'));
      expect(await failure(complete(upload, [{ PartNumber: 1, ETag: first.ETag }]))).toEqual({ status: 400, code: 'InvalidPart' });
      await complete(upload, [{ PartNumber: 1, ETag: second.ETag }]);
      expect(await text('parts/again')).toBe('the last');
    });

    it('take parts of other objects', async () => {
      await put('parts/source', 'hello world');
      const upload = await start('parts/of-others');
      const copyPart = (CopySourceRange?: string) =>
        s3.send(new UploadPartCopyCommand({ ...upload, PartNumber: 1, CopySource: `${bucket}/parts/source`, CopySourceRange }));
      expect(await failure(copyPart('bytes=5-99'))).toEqual({ status: 400, code: 'InvalidArgument' });
      const { CopyPartResult } = await copyPart('bytes=6-10');
      await complete(upload, [{ PartNumber: 1, ETag: CopyPartResult!.ETag }]);
      expect(await text('parts/of-others')).toBe('world');
    });

    it.each([
      ['CRC32', 'COMPOSITE'],
      ['CRC32', 'FULL_OBJECT'],
      ['CRC32C', 'FULL_OBJECT'],
      ['CRC64NVME', 'FULL_OBJECT'],
      ['SHA256', 'COMPOSITE'],
    ] as const)('have a %s checksum, %s', async (ChecksumAlgorithm, ChecksumType) => {
      const upload = await start('parts/checked', { ChecksumAlgorithm, ChecksumType });
      const field = `Checksum${ChecksumAlgorithm}` as const;
      const parts = [];
      for (const [at, body] of [part, rest].entries()) {
        const sent = await send(upload, at + 1, body, { ChecksumAlgorithm });
        parts.push({ PartNumber: at + 1, ETag: sent.ETag, [field]: sent[field] });
      }
      const done = await complete(upload, parts);
      const { [field]: whole, ChecksumType: type } = await head('parts/checked', { ChecksumMode: 'ENABLED' });
      expect(type).toBe(ChecksumType);
      expect(done[field]).toBe(whole);
      if (ChecksumType === 'FULL_OBJECT')
        expect(whole).toBe((await put('parts/at-once', Buffer.concat([part, rest]), { ChecksumAlgorithm }))[field]);
      else expect(whole).toMatch(/-2$/);
    });

    it('are what the SDK makes of a stream of unknown length', async () => {
      const data = randomBytes(partBytes * 2 + 12_345);
      const source = async function* () {
        for (let at = 0; at < data.length; at += 100_000) yield data.subarray(at, at + 100_000);
      };
      const { Readable } = await import('node:stream');
      await new Upload({
        client: s3,
        params: { Bucket: bucket, Key: 'parts/stream', Body: Readable.from(source()) },
        partSize: partBytes,
      }).done();
      const back = Buffer.from(await (await get('parts/stream')).Body!.transformToByteArray());
      expect(back.equals(data)).toBe(true);
    });
  });

  describe('presigned URLs', () => {
    it('get, put, look at and delete', async () => {
      const name = { Bucket: bucket, Key: 'presigned/ü +&?#.txt' };
      const url = (command: GetObjectCommand) => getSignedUrl(s3, command, forAMinute);
      expect((await fetch(await getSignedUrl(s3, new PutObjectCommand(name), forAMinute), { method: 'PUT', body: 'by url' })).status).toBe(
        200,
      );
      expect(await (await fetch(await url(new GetObjectCommand(name)))).text()).toBe('by url');
      expect(
        (await fetch(await getSignedUrl(s3, new HeadObjectCommand(name), forAMinute), { method: 'HEAD' })).headers.get('content-length'),
      ).toBe('6');
      const shown = await fetch(await url(new GetObjectCommand({ ...name, ResponseContentType: 'text/plain' })));
      expect(shown.headers.get('content-type')).toBe('text/plain');
      expect((await fetch(await getSignedUrl(s3, new DeleteObjectCommand(name), forAMinute), { method: 'DELETE' })).status).toBe(204);
      expect((await fetch(await url(new GetObjectCommand(name)))).status).toBe(404);
    });

    it('put with the metadata and tags that they were made with', async () => {
      const name = { Bucket: bucket, Key: 'presigned/described' };
      const said = { ContentType: 'text/css', CacheControl: 'max-age=5', Metadata: { colour: 'dark green' } };
      const url = await getSignedUrl(s3, new PutObjectCommand({ ...name, ...said, Tagging: 'a=1' }), forAMinute);
      const headers = { 'content-type': said.ContentType, 'cache-control': said.CacheControl };
      expect((await fetch(url, { method: 'PUT', headers, body: 'by url' })).status).toBe(200);
      expect(await head(name.Key)).toMatchObject(said);
      expect((await s3.send(new GetObjectTaggingCommand(name))).TagSet).toEqual([{ Key: 'a', Value: '1' }]);
    });

    it('are good for one method, one object and as they were made', async () => {
      await put('presigned/x');
      const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key: 'presigned/x' }), { expiresIn: 60 });
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
      expect((await fetch(url.replace('presigned/x', 'presigned/y'))).status).toBe(403);
      expect((await fetch(`${url}&response-content-type=text%2Fhtml`)).status).toBe(403);
      expect((await fetch(url.replace('X-Amz-Expires=60', 'X-Amz-Expires=600'))).status).toBe(403);
    });
  });

  describe('web pages', () => {
    it('may ask before they call, and see what they need', async () => {
      const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key: 'held' }), { expiresIn: 60 });
      const asked = await fetch(url, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://app.example',
          'access-control-request-method': 'PUT',
          'access-control-request-headers': 'content-type,x-amz-meta-a',
        },
      });
      expect(asked.status).toBe(204);
      expect(asked.headers.get('access-control-allow-origin')).toBe('https://app.example');
      expect(asked.headers.get('access-control-allow-methods')).toBe('PUT');
      expect(asked.headers.get('access-control-allow-headers')).toBe('content-type,x-amz-meta-a');
      await put('held');
      const called = await fetch(url, { headers: { origin: 'https://app.example' } });
      expect(called.headers.get('access-control-allow-origin')).toBe('https://app.example');
      expect(called.headers.get('access-control-expose-headers')).toMatch(/Etag/i);
    });
  });

  it('tells nobody anything without a signature', async () => {
    for (const path of ['/', `/${bucket}`, `/${bucket}/held`]) expect((await fetch(account().endpoint + path)).status).toBe(403);
  });
}

async function failure(promise: Promise<unknown>): Promise<{ status: number | undefined; code: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof S3ServiceException) return { status: error.$metadata.httpStatusCode, code: error.name };
    throw error;
  }
  throw new Error('it did not fail');
}

async function emptyBucket(s3: S3Client, bucket: string): Promise<void> {
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: bucket })) {
    if (Contents.length > 0)
      await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: Contents.map(({ Key }) => ({ Key })) } }));
  }
  await s3.send(new DeleteBucketCommand({ Bucket: bucket }));
}
