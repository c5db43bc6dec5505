// Customer.io: its Track API and its App API, which have hosts and credentials of their own.
import { Agent } from 'node:http';

import { base, person, record, require } from './case.mjs';

const cio = require('customerio-node');
const { CUSTOMERIO_SITE_ID, CUSTOMERIO_API_KEY, CUSTOMERIO_APP_API_KEY } = process.env;
const at = (path) => {
  const url = new URL(base('customerio') + path);
  // It takes no port from the URL and always speaks TLS, unless it is told otherwise here.
  const plain = { protocol: url.protocol, port: url.port, agent: new Agent() };
  return { url: url.href, ...(url.protocol === 'http:' && plain) };
};
const track = new cio.TrackClient(CUSTOMERIO_SITE_ID, CUSTOMERIO_API_KEY, at('/api/v1'));
const app = new cio.APIClient(CUSTOMERIO_APP_API_KEY, at('/v1'));
const call = (name, discloses, make) => record('customerio-node', name, discloses, make);

await call('identify', [
  person(['user-id:4711', 'email:ann@example.com', 'phone:+15550100123'],
    'email,phone,name,username,location,activity,custom'),
], () => track.identify('4711', {
  email: 'ann@example.com',
  phone: '+15550100123',
  created_at: 1767225600,
  first_name: 'Ann',
  last_name: 'Lee',
  timezone: 'America/Chicago',
  plan: 'gold',
  friend: 'bob@example.com',
}));
// An address in the place of the id.
await call('identify-by-address', [person('email:zoe+news@example.com', 'email,name')],
  () => track.identify('zoe+news@example.com', { first_name: 'Zoë' }));
await call('identify-by-vendor-id', [person('user-id:customerio:3000001', 'custom')],
  () => track.identify('cio_3000001', { plan: 'none' }));
await call('track', [person('user-id:4711', 'username,activity')],
  () => track.track('4711', { name: 'bought', data: { order: '17', gift_for: 'bob@example.com' }, timestamp: 1767225600 }));
await call('track-anonymous', [person('user-id:anonymous:a-9f8e7d', 'username,activity')],
  () => track.trackAnonymous('a-9f8e7d', { name: 'viewed', data: { path: '/' } }));
await call('track-invited', [person('email:bob@example.com', 'email,activity')],
  () => track.trackAnonymous('', { name: 'invite', data: { recipient: 'bob@example.com' } }));
await call('page-view', [person('user-id:4711', 'username,activity')],
  () => track.trackPageView('4711', 'https://shop.example/pricing'));
await call('device-add', [person('user-id:4711', 'username,activity,custom')],
  () => track.addDevice('4711', 'd7e1f0a9b8c7', 'ios', { last_used: 1767225600, colour: 'blue' }));
await call('device-remove', [person('user-id:4711', 'username')],
  () => track.deleteDevice('4711', 'd7e1f0a9b8c7'));
await call('merge', [person(['user-id:4711', 'email:ann@example.com'], 'email,username')],
  () => track.mergeCustomers('id', '4711', 'email', 'ann@example.com'));
await call('suppress', [person('user-id:4711', 'username')], () => track.suppress('4711'));
await call('delete', [person('user-id:4711', 'username')], () => track.destroy('4711'));

const email = new cio.SendEmailRequest({
  to: 'Ann Lee <ann@example.com>',
  identifiers: { id: '4711' },
  transactional_message_id: 44,
  message_data: { first: 'Ann', order: { id: 17 } },
  bcc: 'bob@example.com',
  reply_to: 'help@shop.example',
  headers: { 'X-Order': '17' },
  language: 'en',
});
email.attach('receipt.pdf', Buffer.from('%PDF-1.4'));
await call('send-email', [
  person(['user-id:4711', 'email:ann@example.com'], 'email,name,username,language,content,attachment'),
  person('email:bob@example.com', 'email,content,attachment'),
], () => app.sendEmail(email));
await call('send-email-written', [person('email:zoe@example.com', 'email,content')],
  () => app.sendEmail(new cio.SendEmailRequest({
    to: 'zoe@example.com',
    identifiers: { email: 'zoe@example.com' },
    from: 'shop@shop.example',
    subject: 'Reçu',
    body: '<p>Thank you, Zoë.</p>',
  })));
await call('send-sms', [person(['user-id:4711', 'phone:+15550100123'], 'phone,username,content')],
  () => app.sendSMS(new cio.SendSMSRequest({
    to: '+15550100123', identifiers: { id: '4711' }, transactional_message_id: 45, message_data: { code: '123456' },
  })));
await call('send-push', [person('user-id:4711', 'username,content')],
  () => app.sendPush(new cio.SendPushRequest({
    identifiers: { id: '4711' }, transactional_message_id: 46, title: 'Hello Ann', message: 'Your order is on its way.',
  })));

// A segment is at the vendor.
await call('broadcast-segment', [], () => app.triggerBroadcast(12, { season: 'spring' }, { segment: { id: 7 } }));
await call('broadcast-ids', [person('user-id:4711', 'username,content'), person('user-id:4712', 'username,content')],
  () => app.triggerBroadcast(12, { season: 'spring' }, { ids: ['4711', '4712'] }));
await call('broadcast-addresses', [
  person('email:ann@example.com', 'email'),
  person('email:bob@example.com', 'email'),
], () => app.triggerBroadcast(12, {}, { emails: ['ann@example.com', 'bob@example.com'], email_ignore_missing: true }));
await call('broadcast-each', [
  person('user-id:4711', 'username,content'),
  person('email:bob@example.com', 'email,content'),
], () => app.triggerBroadcast(12, {}, {
  per_user_data: [{ id: '4711', data: { voucher: 'A' } }, { email: 'bob@example.com', data: { voucher: 'B' } }],
}));
await call('customers-search', [person('email:ann@example.com', 'email')],
  () => app.getCustomersByEmail('ann@example.com'));
