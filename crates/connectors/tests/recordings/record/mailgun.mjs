// Mailgun: messages, mailing lists, suppressions. This SDK sends messages as multipart.
import { base, person, record, require } from './case.mjs';

const Mailgun = require('mailgun.js').default ?? require('mailgun.js');
const client = new Mailgun(require('form-data')).client({
  username: 'api', key: process.env.MAILGUN_API_KEY, url: base('mailgun'),
});
const call = (name, discloses, make) => record('mailgun.js', name, discloses, make);
const domain = 'mg.shop.example';
const list = 'news@mg.shop.example';
const text = {
  from: 'The shop <shop@shop.example>',
  subject: 'Your receipt',
  text: 'Thank you.',
  html: '<p>Thank you.</p>',
};

await call('message-one', [
  person('email:ann@example.com', 'email,name,content,custom'),
  person('email:bob@example.com', 'email,content,custom'),
  person('email:cyd@example.com', 'email,content,custom'),
], () => client.messages.create(domain, {
  ...text,
  to: ['Ann Lee <ann@example.com>'],
  cc: 'bob@example.com',
  bcc: 'cyd@example.com',
  'h:Reply-To': 'help@shop.example',
  'v:customer': '4711',
  'o:tag': ['receipts', 'shop'],
  'o:tracking': 'yes',
  'o:deliverytime': 'Fri, 25 Dec 2026 23:10:10 -0000',
}));

// Several people in one string; a comma in a quoted name parts nobody.
await call('message-written-addresses', [
  person('email:ann@example.com', 'email,name,content'),
  person('email:bob@example.com', 'email,content'),
  person('email:zoe@example.com', 'email,name,content'),
], () => client.messages.create(domain, {
  ...text, to: '"Lee, Ann" <ann@example.com>, bob@example.com, Zoë Ünal <zoe@example.com>',
}));

// The variables tell the address of dan too, who gets nothing.
await call('message-recipient-variables', [
  person('email:ann@example.com', 'email,content,custom'),
  person('email:bob@example.com', 'email,content,custom'),
  person('email:dan@example.com', 'email,content'),
], () => client.messages.create(domain, {
  ...text,
  to: ['ann@example.com', 'bob@example.com'],
  subject: 'Hello %recipient.first%',
  'recipient-variables': JSON.stringify({
    'ann@example.com': { first: 'Ann', id: 1 },
    'bob@example.com': { first: 'Bob', id: 2 },
    'dan@example.com': { first: 'Dan', id: 3 },
  }),
  'v:batch': JSON.stringify({ note: 'ask eve@example.com' }),
}));

await call('message-template', [person('email:ann@example.com', 'email,content')],
  () => client.messages.create(domain, {
    from: text.from,
    to: 'ann@example.com',
    subject: text.subject,
    template: 'receipt',
    't:version': 'v2',
    't:text': 'yes',
    'h:X-Mailgun-Variables': JSON.stringify({ first: 'Ann', order: 17 }),
    't:variables': JSON.stringify({ city: 'Springfield' }),
  }));

await call('message-attachment', [person('email:ann@example.com', 'email,content,attachment')],
  () => client.messages.create(domain, {
    ...text,
    to: 'ann@example.com',
    'amp-html': '<!doctype html><html ⚡4email></html>',
    attachment: [
      { data: Buffer.from('%PDF-1.4 \x00\xff receipt', 'latin1'), filename: 'réçu "Ann".pdf' },
      { data: Buffer.from('17,paid\r\n'), filename: 'order.csv', contentType: 'text/csv' },
    ],
    inline: { data: Buffer.from('GIF89a'), filename: 'logo.gif' },
  }));

// `to` is the envelope; whom the message's own headers name is told as well.
await call('message-mime', [
  person('email:ann@example.com', 'email,name,content,attachment'),
  person('email:bob@example.com', 'email,content,attachment'),
], () => client.messages.create(domain, {
  to: 'ann@example.com',
  message: [
    'From: The shop <shop@shop.example>',
    'To: =?utf-8?q?Ann_L=C3=A9e?= <ann@example.com>',
    'Cc: bob@example.com',
    'Subject: Your receipt',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="b"',
    '',
    '--b',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'Thank you.',
    '--b',
    'Content-Type: text/csv; name="order.csv"',
    'Content-Disposition: attachment; filename="order.csv"',
    '',
    '17,paid',
    '--b--',
    '',
  ].join('\r\n'),
}));

await call('list-create', [],
  () => client.lists.create({ address: list, name: 'News', description: 'What is new' }));
await call('member-add', [person('email:ann@example.com', 'email,name,custom', list)],
  () => client.lists.members.createMember(list, {
    address: 'ann@example.com', name: 'Ann Lee', vars: JSON.stringify({ age: 26 }), subscribed: 'yes', upsert: 'yes',
  }));
await call('members-add', [
  person('email:ann@example.com', 'email,name,custom', list),
  person('email:zoe@example.com', 'email,name', list),
  person('email:bob@example.com', 'email', list),
], () => client.lists.members.createMembers(list, {
  members: [
    { address: 'ann@example.com', name: 'Ann Lee', vars: JSON.stringify({ age: 26 }), subscribed: true },
    { address: 'Zoë Ünal <zoe@example.com>', subscribed: true },
    { address: 'bob@example.com', subscribed: false },
  ],
  upsert: 'yes',
}));
await call('member-update', [person('email:ann@example.com', 'email,name,custom', list)],
  () => client.lists.members.updateMember(list, 'ann@example.com', {
    name: 'Ann Leigh', vars: JSON.stringify({ age: 27 }), subscribed: 'yes',
  }));
await call('member-remove', [person('email:ann@example.com', 'email', list)],
  () => client.lists.members.destroyMember(list, 'ann@example.com'));

await call('bounces-add', [
  person('email:ann@example.com', 'email'),
  person('email:bob@example.com', 'email'),
], () => client.suppressions.create(domain, 'bounces', [
  { address: 'ann@example.com', code: '550', error: 'no such user' },
  { address: 'bob@example.com' },
]));
await call('unsubscribes-add', [person('email:ann@example.com', 'email')],
  () => client.suppressions.create(domain, 'unsubscribes', [{ address: 'ann@example.com', tags: ['news'] }]));
await call('complaints-add', [person('email:ann@example.com', 'email')],
  () => client.suppressions.create(domain, 'complaints', [{ address: 'ann@example.com' }]));
await call('whitelist-add', [person('email:ann@example.com', 'email')],
  () => client.suppressions.create(domain, 'whitelists', { address: 'ann@example.com', reason: 'asked for it' }));
await call('bounce-look-up', [person('email:ann+news@example.com', 'email')],
  () => client.suppressions.get(domain, 'bounces', 'ann+news@example.com'));
await call('unsubscribe-remove', [person('email:ann@example.com', 'email')],
  () => client.suppressions.destroy(domain, 'unsubscribes', 'ann@example.com'));
await call('address-validate', [person('email:ann@example.com', 'email')],
  () => client.validate.get('ann@example.com'));
await call('events-search', [person('email:ann@example.com', 'email')],
  () => client.events.get(domain, { recipient: 'ann@example.com', limit: 25 }));
