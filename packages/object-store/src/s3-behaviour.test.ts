import { describe } from 'vitest';
import { s3Behaviour } from './s3-behaviour.suite.ts';
import { useStore } from './test-store.fixture.ts';

/** Another store to hold the same suite against, for example MinIO's: S3_ENDPOINT with S3_ACCESS_KEY and S3_SECRET_KEY. */
const { S3_ENDPOINT: endpoint, S3_ACCESS_KEY: accessKey = '', S3_SECRET_KEY: secretKey = '' } = process.env;

if (endpoint) describe(`S3 at ${endpoint}`, () => s3Behaviour(() => ({ endpoint, accessKey, secretKey })));
else
  describe('S3', () => {
    const { account } = useStore();
    s3Behaviour(account);
  });
