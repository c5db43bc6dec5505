// Zendesk: tickets, their comments, users. The SDK is the community's; Zendesk has none.
import { base, person, record, require } from './case.mjs';

const { ZENDESK_USER, ZENDESK_TOKEN } = process.env;
const client = require('node-zendesk').createClient({
  username: ZENDESK_USER.replace(/\/token$/, ''), token: ZENDESK_TOKEN, endpointUri: `${base('zendesk')}/api/v2`,
});
const call = (name, discloses, make) => record('node-zendesk', name, discloses, make);

await call('ticket-create', [
  person(['email:ann@example.com', 'phone:+15550100123'], 'email,phone,name,content,custom'),
  person('email:bob@example.com', 'email,name,content,custom'),
  person('email:cyd@example.com', 'email,content,custom'),
], () => client.tickets.create({
  ticket: {
    subject: 'My order',
    comment: { body: 'My number is +1 555 010 0199.', uploads: ['x7f6'] },
    requester: { name: 'Ann Lee', email: 'ann@example.com', phone: '+15550100123' },
    email_ccs: [{ user_email: 'bob@example.com', user_name: 'Bob', action: 'put' }],
    collaborators: ['cyd@example.com'],
    custom_fields: [{ id: 27642, value: 'friend of eve@example.com' }],
    tags: ['vip'],
    priority: 'urgent',
    external_id: 'order-17',
  },
}));
// Whose ticket it is, only Zendesk knows: the person is known by the ticket.
await call('ticket-comment', [person('user-id:zendesk-ticket:35436', 'content')],
  () => client.tickets.update(35436, {
    ticket: { comment: { html_body: '<p>Dear Ann, it is on its way.</p>', public: true, author_id: 494820284 }, status: 'solved' },
  }));
await call('tickets-create-many', [
  person('email:ann@example.com', 'email,name,content'),
  person('user-id:zendesk:7654321', 'content'),
], () => client.tickets.createMany({
  tickets: [
    { subject: 'One', comment: { body: 'First.' }, requester: { name: 'Ann', email: 'ann@example.com' } },
    { subject: 'Two', comment: { body: 'Second.' }, requester_id: 7654321 },
  ],
}));

const ann = {
  name: 'Ann Lee',
  email: 'ann@example.com',
  phone: '+15550100123',
  external_id: '4711',
  alias: 'ann',
  role: 'end-user',
  verified: true,
  locale: 'en-US',
  time_zone: 'Central Time (US & Canada)',
  notes: 'Called from +1 555 010 0199.',
  details: 'Likes hats.',
  tags: ['loyal'],
  user_fields: { plan: 'gold', friend: 'bob@example.com' },
  identities: [{ type: 'email', value: 'ann.lee@example.org' }, { type: 'twitter', value: 'annlee' }],
};
const annWhole = person(
  ['email:ann@example.com', 'email:ann.lee@example.org', 'phone:+15550100123', 'user-id:4711'],
  'email,phone,name,username,location,account_type,language,content,custom');
await call('user-create', [annWhole], () => client.users.create({ user: ann }));
await call('user-create-or-update', [annWhole], () => client.users.createOrUpdate({ user: ann }));
await call('users-create-many', [
  person(['email:zoe@example.com'], 'email,name,account_type'),
  person(['email:bob@example.com', 'user-id:4712'], 'email,name,username'),
], () => client.users.createMany({
  users: [
    { name: 'Zoë Ünal', email: 'zoe@example.com', role: 'end-user' },
    { name: 'Bob', email: 'bob@example.com', external_id: '4712' },
  ],
}));
await call('user-update', [person('user-id:zendesk:7654321', 'name,custom')],
  () => client.users.update(7654321, { user: { name: 'Ann Leigh', user_fields: { plan: 'none' } } }));
await call('identity-add', [person(['user-id:zendesk:7654321', 'email:ann.lee@example.org'], 'email')],
  () => client.useridentities.create(7654321, { identity: { type: 'email', value: 'ann.lee@example.org' } }));
// An address in a query.
await call('users-search', [person('email:ann+news@example.com', 'email')],
  () => client.users.search({ query: 'email:ann+news@example.com' }));
await call('search', [person('email:ann@example.com', 'email')],
  () => client.search.query('type:ticket requester:ann@example.com'));
