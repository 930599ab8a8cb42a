import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Driver } from './driver.ts';

const bucket = 'kept';

export const minioDriver: Driver = {
  write: (uri, value) =>
    withClient(uri, async (client) => {
      await client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: Error) => {
        if (error.name !== 'BucketAlreadyOwnedByYou') throw error;
      });
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'value', Body: value }));
    }),
  read: (uri) =>
    withClient(uri, async (client) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'value' }));
      return Body?.transformToString();
    }),
  async connectWithoutPassword(host, port) {
    const response = await fetch(`http://${host}:${port}/`);
    if (!response.ok) throw new Error(`answered ${response.status}`);
  },
};

async function withClient<T>(uri: string, work: (client: S3Client) => Promise<T>): Promise<T> {
  const client = s3Client(uri);
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

/** The AWS SDK, by the parts of a URI: it takes none as it is. */
export function s3Client(uri: string): S3Client {
  const { username, password, origin } = new URL(uri);
  return new S3Client({
    endpoint: origin,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: decodeURIComponent(username), secretAccessKey: decodeURIComponent(password) },
  });
}
