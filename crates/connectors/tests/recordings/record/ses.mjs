// Amazon SES, version 2: mail, contacts, suppressions.
import { base, person, record, require } from './case.mjs';

const ses = require('@aws-sdk/client-sesv2');
const client = new ses.SESv2Client({ region: 'eu-west-1', endpoint: base('ses'), maxAttempts: 1 });
const call = (name, discloses, command, input) =>
  record('@aws-sdk/client-sesv2', name, discloses, () => client.send(new ses[`${command}Command`](input)));
const FromEmailAddress = 'The shop <shop@shop.example>';
const utf8 = (Data) => ({ Data, Charset: 'UTF-8' });
const text = { Subject: utf8('Your receipt'), Body: { Text: utf8('Thank you.'), Html: utf8('<p>Thank you.</p>') } };

await call('email-simple', [
  person('email:ann@example.com', 'email,name,content,attachment,custom'),
  person('email:bob@example.com', 'email,content,attachment,custom'),
  person('email:cyd@example.com', 'email,content,attachment,custom'),
], 'SendEmail', {
  FromEmailAddress,
  Destination: {
    ToAddresses: ['Ann Lee <ann@example.com>'],
    CcAddresses: ['bob@example.com'],
    BccAddresses: ['cyd@example.com'],
  },
  ReplyToAddresses: ['help@shop.example'],
  FeedbackForwardingEmailAddress: 'bounces@shop.example',
  Content: {
    Simple: {
      ...text,
      Headers: [{ Name: 'X-Order', Value: '17' }],
      Attachments: [
        { RawContent: Buffer.from('%PDF-1.4'), FileName: 'receipt.pdf', ContentType: 'application/pdf' },
      ],
    },
  },
  EmailTags: [{ Name: 'customer', Value: '4711' }],
  ConfigurationSetName: 'default',
});

await call('email-written-addresses', [
  person('email:ann@example.com', 'email,name,content', 'news'),
  person('email:zoe@example.com', 'email,name,content', 'news'),
], 'SendEmail', {
  FromEmailAddress,
  Destination: {
    ToAddresses: ['"Lee, Ann" <ann@example.com>', '=?UTF-8?B?Wm/DqyDDnG5hbA==?= <zoe@example.com>'],
  },
  Content: { Simple: text },
  ListManagementOptions: { ContactListName: 'news', TopicName: 'spring' },
});

const mime = (...head) => Buffer.from([
  'From: The shop <shop@shop.example>',
  ...head,
  'Subject: Your receipt',
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'Thank you.',
  '',
].join('\r\n'));

// Without a destination the headers say who gets it, and Bcc is one of them.
await call('email-raw', [
  person('email:ann@example.com', 'email,name,content'),
  person('email:bob@example.com', 'email,content'),
  person('email:cyd@example.com', 'email,content'),
], 'SendEmail', {
  Content: {
    Raw: {
      Data: mime('To: =?utf-8?q?Ann_L=C3=A9e?=\r\n <ann@example.com>,\r\n bob@example.com', 'Bcc: cyd@example.com'),
    },
  },
});

// With a destination the headers are told all the same.
await call('email-raw-destination', [
  person('email:ann@example.com', 'email,name,content'),
  person('email:bob@example.com', 'email,content'),
], 'SendEmail', {
  FromEmailAddress,
  Destination: { ToAddresses: ['bob@example.com'] },
  Content: { Raw: { Data: mime('To: Ann <ann@example.com>') } },
});

await call('email-template', [person('email:ann@example.com', 'email,content')], 'SendEmail', {
  FromEmailAddress,
  Destination: { ToAddresses: ['ann@example.com'] },
  Content: {
    Template: { TemplateName: 'receipt', TemplateData: JSON.stringify({ name: 'Ann', note: 'ask eve@example.com' }) },
  },
});

await call('email-bulk', [
  person('email:ann@example.com', 'email,content,custom'),
  person('email:bob@example.com', 'email,name,content,custom'),
  person('email:cyd@example.com', 'email,content,custom'),
], 'SendBulkEmail', {
  FromEmailAddress,
  DefaultEmailTags: [{ Name: 'campaign', Value: 'spring' }],
  DefaultContent: { Template: { TemplateName: 'receipt', TemplateData: '{"name":"friend"}' } },
  BulkEmailEntries: [
    {
      Destination: { ToAddresses: ['ann@example.com'] },
      ReplacementEmailContent: { ReplacementTemplate: { ReplacementTemplateData: '{"name":"Ann"}' } },
      ReplacementTags: [{ Name: 'customer', Value: '4711' }],
    },
    {
      Destination: { ToAddresses: ['Bob <bob@example.com>'], CcAddresses: ['cyd@example.com'] },
      ReplacementHeaders: [{ Name: 'X-Order', Value: '18' }],
    },
  ],
});

await call('contact-create', [person('email:ann@example.com', 'email,custom', 'news')], 'CreateContact', {
  ContactListName: 'news',
  EmailAddress: 'ann@example.com',
  TopicPreferences: [{ TopicName: 'spring', SubscriptionStatus: 'OPT_IN' }],
  AttributesData: JSON.stringify({ first: 'Ann', plan: 'gold' }),
});
await call('contact-update', [person('email:ann+news@example.com', 'email,custom', 'news')], 'UpdateContact', {
  ContactListName: 'news', EmailAddress: 'ann+news@example.com', UnsubscribeAll: true, AttributesData: '{"plan":"none"}',
});
await call('contact-look-up', [person('email:ann@example.com', 'email', 'news')], 'GetContact',
  { ContactListName: 'news', EmailAddress: 'ann@example.com' });
await call('contact-remove', [person('email:ann@example.com', 'email', 'news')], 'DeleteContact',
  { ContactListName: 'news', EmailAddress: 'ann@example.com' });
// Whom it is about is in a file at Amazon S3.
await call('contacts-import', [], 'CreateImportJob', {
  ImportDestination: { ContactListDestination: { ContactListName: 'news', ContactListImportAction: 'PUT' } },
  ImportDataSource: { S3Url: 's3://acme-imports/contacts.csv', DataFormat: 'CSV' },
});
await call('suppression-add', [person('email:ann@example.com', 'email')], 'PutSuppressedDestination',
  { EmailAddress: 'ann@example.com', Reason: 'COMPLAINT' });
await call('suppression-look-up', [person('email:ann@example.com', 'email')], 'GetSuppressedDestination',
  { EmailAddress: 'ann@example.com' });
await call('suppression-remove', [person('email:ann@example.com', 'email')], 'DeleteSuppressedDestination',
  { EmailAddress: 'ann@example.com' });
await call('verification-send', [person('email:ann@example.com', 'email')], 'SendCustomVerificationEmail',
  { EmailAddress: 'ann@example.com', TemplateName: 'welcome' });
