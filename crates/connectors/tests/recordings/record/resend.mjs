// Resend: mail alone and in batches, contacts, segments, events, broadcasts.
import { base, person, record, require } from './case.mjs';

const { Resend } = require('resend');
const client = new Resend(process.env.RESEND_API_KEY, { baseUrl: base('resend') });
// It resolves with an error beside the data.
const call = (name, discloses, make) => record('resend', name, discloses, async () => {
  const { error } = await make();
  if (error) throw Object.assign(new Error(error.message), error);
});
const from = 'The shop <shop@shop.example>';
const text = { from, subject: 'Your receipt', html: '<p>Thank you.</p>', text: 'Thank you.' };
const segment = '78261eea-8f8b-4381-83c6-79fa7120f1cf';

await call('email-one', [
  person('email:ann@example.com', 'email,name,content,attachment,custom'),
  person('email:bob@example.com', 'email,content,attachment,custom'),
  person('email:cyd@example.com', 'email,content,attachment,custom'),
], () => client.emails.send({
  ...text,
  to: ['Ann Lee <ann@example.com>'],
  cc: 'bob@example.com',
  bcc: ['cyd@example.com'],
  replyTo: 'help@shop.example',
  headers: { 'X-Order': '17' },
  tags: [{ name: 'customer', value: '4711' }],
  attachments: [
    { filename: 'receipt.pdf', content: Buffer.from('%PDF-1.4'), contentType: 'application/pdf' },
    { filename: 'logo.gif', path: 'https://cdn.shop.example/logo.gif', contentId: 'logo' },
  ],
  scheduledAt: '2026-12-24T12:00:00.000Z',
}, { idempotencyKey: 'receipt-17' }));
await call('email-written-addresses', [
  person('email:ann@example.com', 'email,name,content'),
  person('email:zoe@example.com', 'email,name,content'),
], () => client.emails.send({ ...text, to: ['"Lee, Ann" <ann@example.com>', 'Zoë Ünal <zoe@example.com>'] }));
await call('email-template', [person('email:ann@example.com', 'email,content')],
  () => client.emails.send({
    from, to: 'ann@example.com', template: { id: 'receipt', variables: { first: 'Ann', note: 'ask eve@example.com' } },
  }));
await call('email-batch', [
  person('email:ann@example.com', 'email,content'),
  person('email:bob@example.com', 'email,content'),
  person('email:cyd@example.com', 'email,name,content'),
], () => client.batch.send([
  { ...text, to: 'ann@example.com' },
  { ...text, to: ['bob@example.com', 'Cyd <cyd@example.com>'] },
]));

await call('contact-create', [person('email:ann@example.com', 'email,name,custom', segment)],
  () => client.contacts.create({
    email: 'ann@example.com',
    firstName: 'Ann',
    lastName: 'Lee',
    unsubscribed: false,
    properties: { plan: 'gold', friend: 'bob@example.com' },
    segments: [{ id: segment }],
    topics: [{ id: 'b6d24b8e-af0b-4c3c-be0c-359bbd97381e', subscription: 'opt_in' }],
  }));
// The earlier edition, which newer accounts still take.
await call('contact-create-audience', [person('email:zoe@example.com', 'email,name', segment)],
  () => client.contacts.create({ audienceId: segment, email: 'zoe@example.com', firstName: 'Zoë', lastName: 'Ünal' }));
await call('contact-update', [person('email:ann+news@example.com', 'email,name')],
  () => client.contacts.update({ email: 'ann+news@example.com', firstName: 'Ann', unsubscribed: true }));
await call('contact-update-id', [person('user-id:resend:479e3145-dd38-476b-932c-529ceb705947', 'name')],
  () => client.contacts.update({ id: '479e3145-dd38-476b-932c-529ceb705947', lastName: 'Leigh' }));
await call('contact-look-up', [person('email:ann@example.com', 'email')],
  () => client.contacts.get({ email: 'ann@example.com' }));
await call('contact-remove', [person('email:ann@example.com', 'email')],
  () => client.contacts.remove({ email: 'ann@example.com' }));
await call('segment-add', [person('email:ann@example.com', 'email', segment)],
  () => client.contacts.segments.add({ email: 'ann@example.com', segmentId: segment }));
await call('event-send', [person('email:ann@example.com', 'email,activity')],
  () => client.events.send({ event: 'order.paid', email: 'ann@example.com', payload: { order: 17 } }));
// To a segment, whose members are at the vendor.
await call('broadcast-create', [],
  () => client.broadcasts.create({ segmentId: segment, ...text, subject: 'Hello {{{FIRST_NAME|there}}}' }));
