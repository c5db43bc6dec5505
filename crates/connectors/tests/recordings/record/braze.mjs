// Braze: users and what they did, messages, campaigns, subscriptions.
import { base, person, record, require } from './case.mjs';

const { Braze } = require('braze-api');
const client = new Braze(base('braze'), process.env.BRAZE_API_KEY);
const call = (name, discloses, make) => record('braze-api', name, discloses, make);
const app_id = '01234567-89ab-cdef-0123-456789abcdef';
const alias = { alias_name: 'ann-2020', alias_label: 'legacy' };
const annByAlias = 'user-id:alias:legacy:ann-2020';

await call('users-track', [
  person(['user-id:4711', 'email:ann@example.com', 'phone:+15550100123'],
    'email,phone,name,username,location,birthdate,activity,language,custom'),
  person('user-id:4712', 'username,activity'),
  person(annByAlias, 'username,custom'),
], () => client.users.track({
  attributes: [
    {
      external_id: '4711',
      email: 'ann@example.com',
      phone: '+15550100123',
      first_name: 'Ann',
      last_name: 'Lee',
      dob: '1980-01-02',
      gender: 'F',
      country: 'US',
      home_city: 'Springfield',
      language: 'en',
      time_zone: 'America/Chicago',
      current_location: { longitude: -89.6, latitude: 39.8 },
      date_of_first_session: '2020-01-02T03:04:05Z',
      email_subscribe: 'opted_in',
      push_tokens: [{ app_id, token: 'd7e1f0a9b8c7', device_id: 'B5372DB0' }],
      plan: 'gold',
      friend: 'bob@example.com',
    },
    { user_alias: alias, _update_existing_only: true, plan: 'none' },
  ],
  events: [
    { external_id: '4711', app_id, name: 'viewed', time: '2026-01-02T03:04:05Z', properties: { gift_for: 'bob@example.com' } },
  ],
  purchases: [
    { external_id: '4712', app_id, product_id: 'hat', currency: 'USD', price: 9.99, quantity: 1, time: '2026-01-02T03:04:05Z' },
  ],
}));
await call('users-track-address', [person('email:zoe@example.com', 'email,name,activity')],
  () => client.users.track({
    attributes: [{ email: 'zoe@example.com', first_name: 'Zoë', last_name: 'Ünal' }],
    events: [{ email: 'zoe@example.com', name: 'viewed', time: '2026-01-02T03:04:05Z' }],
  }, true));
await call('users-identify', [person(['user-id:4711', annByAlias], 'username')],
  () => client.users.identify({ aliases_to_identify: [{ external_id: '4711', user_alias: alias }] }));
await call('users-alias', [person(['user-id:4711', annByAlias], 'username')],
  () => client.users.alias.new({ user_aliases: [{ external_id: '4711', ...alias }] }));
await call('users-merge', [person(['user-id:4711', 'user-id:17'], 'username')],
  () => client.users.merge({
    merge_updates: [{ identifier_to_merge: { external_id: '17' }, identifier_to_keep: { external_id: '4711' } }],
  }));
await call('users-delete', [
  person('user-id:4711', 'username'),
  person('user-id:braze:5a6b7c8d9e', 'username'),
], () => client.users.delete({ external_ids: ['4711'], braze_ids: ['5a6b7c8d9e'] }));
await call('users-export', [person('email:ann@example.com', 'email')],
  () => client.users.export.ids({ email_address: 'ann@example.com', fields_to_export: ['email'] }));

await call('messages-send', [
  person('user-id:4711', 'username,content,attachment'),
  person(annByAlias, 'username,content,attachment'),
], () => client.messages.send({
  external_user_ids: ['4711'],
  user_aliases: [alias],
  messages: {
    email: {
      app_id,
      from: 'The shop <shop@shop.example>',
      reply_to: 'help@shop.example',
      subject: 'Your receipt',
      body: '<p>Thank you.</p>',
      plaintext_body: 'Thank you.',
      headers: { 'X-Order': '17' },
      attachments: [{ file_name: 'receipt.pdf', url: 'https://cdn.shop.example/r/17.pdf' }],
    },
    sms: { app_id, subscription_group_id: 'a1b2c3d4-0000-4000-8000-000000000001', body: 'Thank you.' },
  },
}));
await call('campaign-send', [
  person(['user-id:4711', 'email:ann@example.com'], 'email,username,content,custom'),
  person(annByAlias, 'username,content'),
], () => client.campaigns.trigger.send({
  campaign_id: 'c1b2c3d4-0000-4000-8000-000000000002',
  trigger_properties: { season: 'spring' },
  recipients: [
    {
      external_user_id: '4711',
      trigger_properties: { first: 'Ann' },
      send_to_existing_only: false,
      attributes: { email: 'ann@example.com', plan: 'gold' },
    },
    { user_alias: alias },
  ],
}));
await call('campaign-schedule', [person('user-id:4711', 'username,content')],
  () => client.campaigns.trigger.schedule.create({
    campaign_id: 'c1b2c3d4-0000-4000-8000-000000000002',
    recipients: [{ external_user_id: '4711', trigger_properties: { first: 'Ann' } }],
    schedule: { time: '2026-12-24T12:00:00Z' },
  }));
// Everybody, who is at the vendor.
await call('campaign-broadcast', [],
  () => client.campaigns.trigger.send({ campaign_id: 'c1b2c3d4-0000-4000-8000-000000000002', broadcast: true }));
await call('transactional-send', [
  person(['user-id:4711', 'email:ann@example.com'], 'email,username,content'),
], () => client.transactional.v1.campaigns.send('c1b2c3d4-0000-4000-8000-000000000003', {
  external_send_id: 'receipt-17',
  trigger_properties: { order: 17 },
  recipient: { external_user_id: '4711', attributes: { email: 'ann@example.com' } },
}));

const group = 'a1b2c3d4-0000-4000-8000-000000000004';
await call('subscription-set', [
  person('email:ann@example.com', 'email', group),
  person('email:bob@example.com', 'email', group),
], () => client.subscription.status.set({
  subscription_group_id: group, subscription_state: 'subscribed', email: ['ann@example.com', 'bob@example.com'],
}));
await call('subscription-set-both', [
  person('user-id:4711', 'username', group),
  person('user-id:4712', 'username', group),
  person('phone:+15550100123', 'phone', group),
], () => client.v2.subscription.status.set({
  subscription_groups: [{
    subscription_group_id: group, subscription_state: 'unsubscribed', external_ids: ['4711', '4712'], phones: ['+15550100123'],
  }],
}));
await call('email-block', [person('email:ann@example.com', 'email')],
  () => client.email.blacklist({ email: 'ann@example.com' }));
await call('email-unbounce', [person('email:ann@example.com', 'email'), person('email:bob@example.com', 'email')],
  () => client.email.bounce.remove({ email: ['ann@example.com', 'bob@example.com'] }));
await call('subscription-look-up', [person('email:ann@example.com', 'email', group)],
  () => client.subscription.status.get({ subscription_group_id: group, email: 'ann@example.com' }));
