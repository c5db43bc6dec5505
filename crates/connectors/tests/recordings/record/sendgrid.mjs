// SendGrid: mail, marketing contacts, suppressions.
import { base, person, record, require } from './case.mjs';

const mail = require('@sendgrid/mail');
const client = require('@sendgrid/client');

for (const one of [mail.client, client]) {
  one.setApiKey(process.env.SENDGRID_API_KEY);
  // After the key: setting the key sets the base URL back.
  one.setDefaultRequest('baseUrl', base('sendgrid'));
}

const from = { email: 'shop@shop.example', name: 'The shop' };
const text = { from, subject: 'Your receipt', text: 'Thank you.', html: '<p>Thank you.</p>' };
const send = (name, discloses, message) =>
  record('@sendgrid/mail', name, discloses, () => mail.send(message));
const call = (name, discloses, method, url, body, qs) =>
  record('@sendgrid/client', name, discloses, () => client.request({ method, url, body, qs }));

await send('mail-one', [
  person('email:ann@example.com', 'email,name,content'),
  person('email:bob@example.com', 'email,content'),
  person('email:cyd@example.com', 'email,name,content'),
], {
  ...text,
  to: { email: 'Ann@Example.com', name: 'Ann Lee' },
  cc: 'bob@example.com',
  bcc: [{ email: 'cyd@example.com', name: 'Cyd Charisse' }],
  replyTo: 'help@shop.example',
});

// The SDK takes a display name out of a string; the quotes and the comma are the name's.
await send('mail-written-addresses', [
  person('email:zoe@example.com', 'email,name,content'),
  person('email:o\'brien+news@example.com', 'email,name,content'),
  person('email:kim@xn--bcher-kva.example', 'email,content'),
], {
  ...text,
  to: ['Zoë Ünal <zoe@example.com>', '"O\'Brien, Pat" <o\'brien+news@example.com>', 'kim@bücher.example'],
});

await record('@sendgrid/mail', 'mail-each-alone', [
  person('email:ann@example.com', 'email,content'),
  person('email:bob@example.com', 'email,content'),
], () => mail.sendMultiple({ ...text, to: ['ann@example.com', 'bob@example.com'] }));

await send('mail-template', [
  person('email:ann@example.com', 'email,name,content,custom'),
  person('email:bob@example.com', 'email,content'),
], {
  from,
  templateId: 'd-0123456789abcdef0123456789abcdef',
  personalizations: [
    {
      to: [{ email: 'ann@example.com', name: '李安' }],
      dynamicTemplateData: { first: '安', order: { id: 17, ship_to: '1 Main St, Springfield' } },
      customArgs: { customer: '4711' },
    },
    { to: 'bob@example.com', dynamicTemplateData: { first: 'Bob' }, sendAt: 1767225600 },
  ],
  categories: ['receipts'],
  asm: { groupId: 42, groupsToDisplay: [42, 43] },
  mailSettings: { sandboxMode: { enable: true } },
});

await send('mail-substitutions', [
  person('email:ann@example.com', 'email,content,custom'),
  person('email:bob@example.com', 'email,content,custom'),
], {
  ...text,
  personalizations: [
    { to: 'ann@example.com', substitutions: { name: 'Ann' }, headers: { 'X-Order': '17' } },
    { to: 'bob@example.com', subject: 'Bob, your receipt' },
  ],
  customArgs: { segment: 'loyal' },
  headers: { 'List-Unsubscribe': '<mailto:unsubscribe@shop.example>' },
});

// An address and a number where the vendor keeps what it takes for no personal data.
await send('mail-attachment', [person('email:ann@example.com', 'email,content,attachment,custom')], {
  ...text,
  to: 'ann@example.com',
  categories: ['receipts', 'ann@example.com'],
  customArgs: { contact: 'call +1 555 010 0199 or write to bob@example.com' },
  attachments: [
    {
      content: Buffer.from('%PDF-1.4 receipt').toString('base64'),
      filename: 'receipt Ann Lee.pdf',
      type: 'application/pdf',
      disposition: 'attachment',
    },
    { content: 'R0lGODlhAQABAAAAACw=', filename: 'l.gif', type: 'image/gif', contentId: 'logo' },
  ],
});

await call('mail-batch-id', [], 'POST', '/v3/mail/batch');

const list = '3f8a7b1c-9d2e-4f5a-8b6c-7d8e9f0a1b2c';
await call('contacts-upsert', [
  person(
    ['email:ann@example.com', 'email:ann.lee@example.org', 'phone:+15550100123', 'user-id:4711',
      'user-id:anonymous:a-9f8e7d'],
    'email,phone,name,username,address,location,custom', list),
  person('email:bob@example.com', 'email', list),
], 'PUT', '/v3/marketing/contacts', {
  list_ids: [list],
  contacts: [
    {
      email: 'ann@example.com',
      alternate_emails: ['ann.lee@example.org'],
      phone_number_id: '+15550100123',
      external_id: '4711',
      anonymous_id: 'a-9f8e7d',
      first_name: 'Ann',
      last_name: 'Lee',
      address_line_1: '1 Main St',
      address_line_2: 'Apt 2',
      city: 'Springfield',
      state_province_region: 'IL',
      postal_code: '62701',
      country: 'US',
      custom_fields: { e1_T: 'gold', e2_N: 17, e3_D: '2026-01-02T00:00:00Z' },
    },
    { email: 'bob@example.com' },
  ],
});

// The reply says where the file is to be uploaded, which is at another host and no call of an SDK.
await call('contacts-import', [], 'PUT', '/v3/marketing/contacts/imports', {
  list_ids: [list], file_type: 'csv', field_mappings: ['_rf2_T', '_rf3_T', null, 'e1_T'],
});

await call('contacts-search', [person('email:ann@example.com', 'email')],
  'POST', '/v3/marketing/contacts/search', { query: "email LIKE 'ann@example.com'" });

await call('contacts-search-emails', [
  person('email:ann@example.com', 'email'),
  person('email:bob@example.com', 'email'),
], 'POST', '/v3/marketing/contacts/search/emails', { emails: ['ann@example.com', 'bob@example.com'] });

await call('contacts-delete', [], 'DELETE', '/v3/marketing/contacts', undefined,
  { ids: '0a1b2c3d-1111-4222-8333-444455556666' });

await call('suppressions-group-add', [
  person('email:ann@example.com', 'email', '42'),
  person('email:bob@example.com', 'email', '42'),
], 'POST', '/v3/asm/groups/42/suppressions', { recipient_emails: ['ann@example.com', 'bob@example.com'] });

await call('suppressions-global-add', [person('email:ann@example.com', 'email')],
  'POST', '/v3/asm/suppressions/global', { recipient_emails: ['ann@example.com'] });

// An address in the path.
await call('suppressions-group-remove', [person('email:ann+news@example.com', 'email', '42')],
  'DELETE', `/v3/asm/groups/42/suppressions/${encodeURIComponent('ann+news@example.com')}`);

await call('suppressions-bounce-remove', [person('email:ann@example.com', 'email')],
  'DELETE', '/v3/suppression/bounces/ann@example.com');

await call('suppressions-bounces-remove', [
  person('email:ann@example.com', 'email'),
  person('email:bob@example.com', 'email'),
], 'DELETE', '/v3/suppression/bounces', { delete_all: false, emails: ['ann@example.com', 'bob@example.com'] });

await call('address-validate', [person('email:ann@example.com', 'email')],
  'POST', '/v3/validations/email', { email: 'ann@example.com', source: 'signup' });

await call('recipients-erase', [person('email:ann@example.com', 'email')],
  'POST', '/v3/recipients/erasejob', { email_addresses: ['ann@example.com'] });
