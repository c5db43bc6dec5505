// Mailchimp Marketing: members of a list alone and in batches, and what is said of them.
import { createHash } from 'node:crypto';

import { base, person, record, require } from './case.mjs';

const client = require('@mailchimp/mailchimp_marketing');
client.setConfig({ apiKey: process.env.MAILCHIMP_API_KEY, server: 'us21' });
// The only way: it has no option for it.
client.basePath = `${base('mailchimp')}/3.0`;
const call = (name, discloses, make) => record('@mailchimp/mailchimp_marketing', name, discloses, make);

const list = 'a1b2c3d4e5';
// How Mailchimp names a member in a path. It is a pseudonym of the address.
const md5 = (email) => createHash('md5').update(email.toLowerCase()).digest('hex');
const ann = md5('ann@example.com');
const annByHash = `user-id:md5:${ann}`;

await call('member-add', [
  person(['email:ann@example.com', 'phone:+15550100123'],
    'email,phone,name,address,ip,location,birthdate,activity,language,custom', list),
], () => client.lists.addListMember(list, {
  email_address: 'ann@example.com',
  email_type: 'html',
  status: 'subscribed',
  merge_fields: {
    FNAME: 'Ann',
    LNAME: 'Lee',
    PHONE: '+1 555-010-0123',
    BIRTHDAY: '01/02',
    ADDRESS: { addr1: '1 Main St', addr2: 'Apt 2', city: 'Springfield', state: 'IL', zip: '62701', country: 'US' },
    FRIEND: 'bob@example.com',
  },
  interests: { '9143cf3bd1': true },
  language: 'en',
  vip: true,
  location: { latitude: 39.8, longitude: -89.6 },
  marketing_permissions: [{ marketing_permission_id: '0a1b2c', enabled: true }],
  ip_signup: '192.0.2.17',
  timestamp_signup: '2026-01-02T03:04:05+00:00',
  ip_opt: '2001:db8::17',
  timestamp_opt: '2026-01-02T03:05:05+00:00',
  tags: ['loyal', { name: 'spring', status: 'active' }],
}, { skipMergeValidation: true }));

await call('member-add-sms', [person(['email:bob@example.com', 'phone:+15550100124'], 'email,phone', list)],
  () => client.lists.addListMember(list, {
    email_address: 'bob@example.com',
    status: 'pending',
    sms_phone_number: '+15550100124',
    sms_subscription_status: 'subscribed',
  }));

// The hash in the path and the address in the body are the same person.
await call('member-set', [person(['email:ann@example.com', annByHash], 'email,name', list)],
  () => client.lists.setListMember(list, ann, {
    email_address: 'Ann@Example.com', status_if_new: 'subscribed', merge_fields: { FNAME: 'Ann' },
  }));

// Mailchimp takes the address itself in the place of its hash.
await call('member-set-by-address', [person('email:zoe+news@example.com', 'email,name', list)],
  () => client.lists.setListMember(list, 'zoe+news@example.com', {
    email_address: 'zoe+news@example.com', status_if_new: 'pending', merge_fields: { FNAME: 'Zoë', LNAME: 'Ünal' },
  }));

await call('member-update', [person(annByHash, 'email,language,custom', list)],
  () => client.lists.updateListMember(list, ann, { language: 'de', merge_fields: { PLAN: 'gold' } }));
// A new address for the member of the hash.
await call('member-readdress', [person(['email:ann.lee@example.org', annByHash], 'email', list)],
  () => client.lists.updateListMember(list, ann, { email_address: 'ann.lee@example.org' }));
await call('member-archive', [person(annByHash, 'email', list)],
  () => client.lists.deleteListMember(list, ann));
await call('member-delete', [person(annByHash, 'email', list)],
  () => client.lists.deleteListMemberPermanent(list, ann));

await call('members-batch', [
  person('email:ann@example.com', 'email,name,custom', list),
  person('email:bob@example.com', 'email', list),
], () => client.lists.batchListMembers(list, {
  members: [
    { email_address: 'ann@example.com', status: 'subscribed', merge_fields: { FNAME: 'Ann' }, tags: ['loyal'] },
    { email_address: 'bob@example.com', status: 'unsubscribed' },
  ],
  update_existing: true,
}));

// Bodies of the operations are JSON in strings.
await call('batches', [
  person('email:ann@example.com', 'email,name', list),
  person(['email:bob@example.com', `user-id:md5:${md5('bob@example.com')}`], 'email,custom', list),
  person(annByHash, 'email,activity', list),
], () => client.batches.start({
  operations: [
    {
      method: 'POST',
      path: `/lists/${list}/members`,
      operation_id: 'one',
      body: JSON.stringify({ email_address: 'ann@example.com', status: 'subscribed', merge_fields: { LNAME: 'Lee' } }),
    },
    {
      method: 'PUT',
      path: `/lists/${list}/members/${md5('bob@example.com')}`,
      params: { skip_merge_validation: 'true' },
      body: JSON.stringify({ email_address: 'bob@example.com', status_if_new: 'subscribed', merge_fields: { PLAN: 'gold' } }),
    },
    {
      method: 'POST',
      path: `/lists/${list}/members/${ann}/events`,
      body: JSON.stringify({ name: 'bought', properties: { order: '17' } }),
    },
  ],
}));

await call('member-tags', [person(annByHash, 'email,custom', list)],
  () => client.lists.updateListMemberTags(list, ann, { tags: [{ name: 'loyal', status: 'active' }] }));
await call('member-note', [person(annByHash, 'email,content', list)],
  () => client.lists.createListMemberNote(list, ann, { note: 'Ann called from +1 555 010 0199 about order 17.' }));
await call('member-event', [person(annByHash, 'email,activity', list)],
  () => client.lists.createListMemberEvent(list, ann, {
    name: 'bought', properties: { order: '17', gift_for: 'bob@example.com' }, occurred_at: '2026-01-02T03:04:05+00:00',
  }));
await call('members-search', [person('email:ann@example.com', 'email')],
  () => client.searchMembers.search('ann@example.com'));
await call('journey-trigger', [person('email:ann@example.com', 'email')],
  () => client.customerJourneys.trigger(12, 34, { email_address: 'ann@example.com' }));
