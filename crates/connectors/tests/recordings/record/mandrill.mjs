// Mailchimp Transactional, which was Mandrill: messages, rejects. The key is in the body.
import { base, person, record, require } from './case.mjs';

const client = require('@mailchimp/mailchimp_transactional')(process.env.MANDRILL_API_KEY);
// The only way: it has no option for it.
client.basePath = `${base('mandrill')}/api/1.3`;
const call = (name, discloses, make) => record('@mailchimp/mailchimp_transactional', name, discloses, make);
const text = {
  from_email: 'shop@shop.example',
  from_name: 'The shop',
  subject: 'Your receipt',
  html: '<p>Thank you.</p>',
  text: 'Thank you.',
};

await call('send-one', [
  person('email:ann@example.com', 'email,name,content,custom'),
  person('email:bob@example.com', 'email,content,custom'),
  person('email:cyd@example.com', 'email,name,content,custom'),
  person('email:dan@example.com', 'email,content,custom'),
], () => client.messages.send({
  message: {
    ...text,
    to: [
      { email: 'ann@example.com', name: 'Ann Lee', type: 'to' },
      { email: 'bob@example.com', type: 'cc' },
      { email: 'cyd@example.com', name: 'Çyd', type: 'bcc' },
    ],
    bcc_address: 'dan@example.com',
    headers: { 'Reply-To': 'help@shop.example' },
    metadata: { website: 'shop.example' },
    tags: ['receipts'],
    subaccount: 'shop',
    track_opens: true,
  },
  async: false,
  ip_pool: 'Main Pool',
  send_at: '2026-12-24 12:00:00',
}));

// The merge variables and the metadata tell the address of eve too, who gets nothing.
await call('send-merged', [
  person('email:ann@example.com', 'email,content,attachment,custom'),
  person('email:bob@example.com', 'email,content,attachment'),
  person('email:eve@example.com', 'email,content,custom'),
], () => client.messages.send({
  message: {
    ...text,
    to: [{ email: 'ann@example.com' }, { email: 'bob@example.com' }],
    preserve_recipients: false,
    merge_language: 'handlebars',
    global_merge_vars: [{ name: 'season', content: 'spring' }],
    merge_vars: [
      { rcpt: 'Ann@example.com', vars: [{ name: 'first', content: 'Ann' }, { name: 'orders', content: [{ id: 17 }] }] },
      { rcpt: 'eve@example.com', vars: [{ name: 'first', content: 'Eve' }] },
    ],
    recipient_metadata: [
      { rcpt: 'ann@example.com', values: { customer: '4711' } },
      { rcpt: 'eve@example.com', values: { customer: '4713' } },
    ],
    attachments: [{ type: 'application/pdf', name: 'receipt.pdf', content: 'JVBERi0xLjQ=' }],
    images: [{ type: 'image/gif', name: 'logo', content: 'R0lGODlhAQABAAAAACw=' }],
  },
}));

await call('send-template', [person('email:ann@example.com', 'email,content')],
  () => client.messages.sendTemplate({
    template_name: 'receipt',
    template_content: [{ name: 'main', content: '<p>Thank you, Ann.</p>' }],
    message: { to: [{ email: 'ann@example.com' }], global_merge_vars: [{ name: 'first', content: 'Ann' }] },
  }));

// `to` is the envelope; whom the message's own headers name is told as well.
await call('send-raw', [
  person('email:ann@example.com', 'email,name,content'),
  person('email:bob@example.com', 'email,content'),
], () => client.messages.sendRaw({
  raw_message: 'From: shop@shop.example\r\nTo: Ann Lee <ann@example.com>\r\nSubject: Your receipt\r\n\r\nThank you.\r\n',
  from_email: 'shop@shop.example',
  to: ['ann@example.com', 'bob@example.com'],
}));
// Without `to` the headers say who gets it.
await call('send-raw-by-headers', [
  person('email:ann@example.com', 'email,content'),
  person('email:bob@example.com', 'email,content'),
], () => client.messages.sendRaw({
  raw_message: 'From: shop@shop.example\nTo: ann@example.com,\n bob@example.com\nSubject: Your receipt\n\nThank you.\n',
}));
await call('send-sms', [person('phone:+15550100123', 'phone,content')],
  () => client.messages.sendSms({
    message: { sms: { text: 'Thank you.', to: ['+15550100123'], from: '+15550100000', consent: 'onetime' } },
  }));

await call('rejects-add', [person('email:ann@example.com', 'email')],
  () => client.rejects.add({ email: 'ann@example.com', comment: 'asked for it', subaccount: 'shop' }));
await call('rejects-delete', [person('email:ann@example.com', 'email')],
  () => client.rejects.delete({ email: 'ann@example.com' }));
await call('rejects-search', [person('email:ann@example.com', 'email')],
  () => client.rejects.list({ email: 'ann@example.com' }));
await call('allowlists-add', [person('email:ann@example.com', 'email')],
  () => client.allowlists.add({ email: 'ann@example.com' }));
await call('messages-search', [person('email:ann@example.com', 'email')],
  () => client.messages.search({ query: 'full_email:ann@example.com', limit: 10 }));
