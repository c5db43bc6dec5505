// Postmark: messages alone, in batches, from templates and in bulk; suppressions; data removal.
import { base, person, record, require } from './case.mjs';

const { AccountClient, ServerClient } = require('postmark');
const [scheme, host] = base('postmark').split('://');
const options = { requestHost: host, useHttps: scheme === 'https' };
const server = new ServerClient(process.env.POSTMARK_SERVER_TOKEN, options);
const call = (name, discloses, make) => record('postmark', name, discloses, make);
const From = 'The shop <shop@shop.example>';
const text = { From, Subject: 'Your receipt', HtmlBody: '<p>Thank you.</p>', TextBody: 'Thank you.' };

await call('email-one', [
  person('email:ann@example.com', 'email,name,content,attachment,custom'),
  person('email:bob@example.com', 'email,content,attachment,custom'),
  person('email:cyd@example.com', 'email,content,attachment,custom'),
], () => server.sendEmail({
  ...text,
  To: 'Ann Lee <ann@example.com>',
  Cc: 'bob@example.com',
  Bcc: 'cyd@example.com',
  ReplyTo: 'help@shop.example',
  Tag: 'receipt',
  Headers: [{ Name: 'X-Order', Value: '17' }],
  Metadata: { customer: '4711', contact: 'eve@example.com' },
  Attachments: [
    { Name: 'receipt.pdf', Content: 'JVBERi0xLjQ=', ContentType: 'application/pdf', ContentID: '' },
  ],
  TrackOpens: true,
  TrackLinks: 'HtmlOnly',
  MessageStream: 'outbound',
}));

await call('email-written-addresses', [
  person('email:ann@example.com', 'email,name,content'),
  person('email:bob@example.com', 'email,content'),
  person('email:zoe@example.com', 'email,name,content'),
], () => server.sendEmail({
  ...text, To: '"Lee, Ann" <ann@example.com>, bob@example.com, Zoë Ünal <zoe@example.com>',
}));

await call('email-batch', [
  person('email:ann@example.com', 'email,content'),
  person('email:bob@example.com', 'email,content,custom'),
], () => server.sendEmailBatch([
  { ...text, To: 'ann@example.com' },
  { ...text, To: 'bob@example.com', Metadata: { customer: '4712' } },
]));

await call('template-one', [person('email:ann@example.com', 'email,content,custom')],
  () => server.sendEmailWithTemplate({
    From,
    To: 'ann@example.com',
    TemplateAlias: 'receipt',
    TemplateModel: { name: 'Ann', city: 'Springfield', orders: [{ id: 17 }] },
    Metadata: { customer: '4711' },
  }));

await call('template-batch', [
  person('email:ann@example.com', 'email,content'),
  person('email:bob@example.com', 'email,name,content'),
], () => server.sendEmailBatchWithTemplates([
  { From, To: 'ann@example.com', TemplateId: 1234, TemplateModel: { name: 'Ann' } },
  { From, To: 'Bob <bob@example.com>', TemplateId: 1234, TemplateModel: { name: 'Bob' } },
]));

await call('bulk', [
  person('email:ann@example.com', 'email,content,custom'),
  person('email:bob@example.com', 'email,name,content,custom'),
  person('email:cyd@example.com', 'email,content,custom'),
], () => server.sendBulkEmail({
  From,
  Subject: 'Hello {{name}}',
  HtmlBody: '<p>Hello {{name}}</p>',
  TextBody: 'Hello {{name}}',
  MessageStream: 'broadcast',
  Metadata: { campaign: 'spring' },
  Messages: [
    { To: 'ann@example.com', TemplateModel: { name: 'Ann' } },
    {
      To: 'Bob <bob@example.com>',
      Cc: 'cyd@example.com',
      TemplateModel: { name: 'Bob' },
      Metadata: { customer: '4712' },
      Headers: [{ Name: 'X-Order', Value: '18' }],
    },
  ],
}));

await call('suppressions-add', [
  person('email:ann@example.com', 'email'),
  person('email:bob@example.com', 'email'),
], () => server.createSuppressions('outbound', {
  Suppressions: [{ EmailAddress: 'ann@example.com' }, { EmailAddress: 'bob@example.com' }],
}));
await call('suppressions-remove', [person('email:ann@example.com', 'email')],
  () => server.deleteSuppressions('outbound', { Suppressions: [{ EmailAddress: 'ann@example.com' }] }));
await call('messages-search', [person('email:ann@example.com', 'email')],
  () => server.getOutboundMessages({ recipient: 'ann@example.com', count: 10, offset: 0 }));

// With the token of the account, in a header of its own. Who asks is the company.
await call('data-removal', [person('email:ann@example.com', 'email')],
  () => new AccountClient(process.env.POSTMARK_ACCOUNT_TOKEN, options).requestDataRemoval({
    RequestedBy: 'privacy@shop.example', RequestedFor: 'ann@example.com', NotifyWhenCompleted: false,
  }));
