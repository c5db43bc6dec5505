// Amazon S3: objects that workloads put. What they hold is not in the request in a form that could be
// read: the operator declares it by bucket and key.
import { Readable } from 'node:stream';

import { base, record, require } from './case.mjs';

const s3 = require('@aws-sdk/client-s3');
const options = { region: 'eu-west-1', endpoint: base('s3'), forcePathStyle: true, maxAttempts: 1 };
const client = new s3.S3Client(options);
const plain = new s3.S3Client({ ...options, requestChecksumCalculation: 'WHEN_REQUIRED' });
const call = (name, command, input, by = client) =>
  record('@aws-sdk/client-s3', name, [], () => by.send(new s3[`${command}Command`](input)));
const at = { Bucket: 'acme-exports', Key: 'people/2026 01/ann+lee@example.com.csv' };
const Body = 'email,name\r\nann@example.com,Ann Lee\r\n';

await call('put', 'PutObject', {
  ...at,
  Body,
  ContentType: 'text/csv',
  Metadata: { owner: 'ann@example.com' },
  Tagging: 'class=contacts',
  ServerSideEncryption: 'AES256',
});
await call('put-plain', 'PutObject', { ...at, Body }, plain);
await call('put-sha256', 'PutObject', { ...at, Body: Buffer.from(Body), ChecksumAlgorithm: 'SHA256' });
await call('put-md5', 'PutObject', { ...at, Body, ContentMD5: 'RlYGVE+dhfUKYCMPBdSFiQ==' }, plain);
// In chunks with a checksum behind them.
await call('put-stream', 'PutObject', { ...at, Body: Readable.from([Body]), ContentLength: Body.length });
await call('put-binary', 'PutObject', { ...at, Key: 'avatars/4711.png', Body: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff]) });

const UploadId = 'VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA';
await call('multipart-create', 'CreateMultipartUpload', { ...at, ContentType: 'text/csv', ChecksumAlgorithm: 'CRC32' });
await call('multipart-part', 'UploadPart', { ...at, UploadId, PartNumber: 1, Body });
await call('multipart-complete', 'CompleteMultipartUpload', {
  ...at, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag: '"b54357faf0632cce46e942fa68356b38"' }] },
});
await call('multipart-abort', 'AbortMultipartUpload', { ...at, UploadId });
await call('delete', 'DeleteObject', at);
await call('delete-many', 'DeleteObjects', { Bucket: at.Bucket, Delete: { Objects: [{ Key: at.Key }] } });
