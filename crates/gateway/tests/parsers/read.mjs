// Reads each case as Node's parsers do, and prints what they read differently from us.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';

const require = createRequire(`${process.env.CORDON_MODULES}/`);
const busboy = require('busboy');
const bytes = (hex) => Buffer.from(hex, 'hex');

const readForm = (text) => [...new URLSearchParams('&' + text.toString('utf8'))];

const readMultipart = (text, boundary) =>
  new Promise((resolve, reject) => {
    const parts = [];
    const headers = { 'content-type': `multipart/form-data; boundary="${boundary}"` };
    const parser = busboy({ headers, defParamCharset: 'utf8', preservePath: true });
    parser.on('field', (name, value) => parts.push([name, Buffer.from(value).toString('hex')]));
    parser.on('file', (name, stream) => {
      const part = [name, ''];
      parts.push(part);
      stream.on('data', (data) => (part[1] += data.toString('hex')));
    });
    parser.on('close', () => resolve(parts));
    parser.on('error', reject);
    parser.end(text);
  });

const check = async ({ kind, raw, written, pairs, parts, boundary }) => {
  const texts = [bytes(raw), bytes(written)];
  if (kind === 'json') {
    const [first, second] = texts.map((text) => JSON.parse(text.toString('utf8')));
    return isDeepStrictEqual(first, second) ? null : 'another value';
  }
  for (const text of texts) {
    if (kind === 'form') {
      const theirs = readForm(text);
      if (!isDeepStrictEqual(theirs, pairs)) return `other pairs: ${JSON.stringify(theirs)}`;
    } else {
      const theirs = await readMultipart(text, boundary);
      // What is no UTF-8 is no text to us, and is mended by busboy where it has no file's name.
      const ours = parts.map(([name, isText, content], index) =>
        isText || theirs[index]?.[1] === content ? [name, content] : [name, theirs[index]?.[1]],
      );
      if (!isDeepStrictEqual(theirs, ours)) return `other parts: ${JSON.stringify(theirs)}`;
    }
  }
  return null;
};

for (const one of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const wrong = await check(one).catch((why) => String(why));
  if (wrong) console.log(`${one.kind} ${JSON.stringify(bytes(one.raw).toString('latin1'))}: ${wrong}`);
}
