// Segment: everything goes in batches.
import { base, person, record, require } from './case.mjs';

const { Analytics } = require('@segment/analytics-node');
const url = new URL(base('segment'));

/** Sends what `make` says in one batch, and fails as the SDK reports it: by an event. */
const call = (name, discloses, make) => record('@segment/analytics-node', name, discloses, async () => {
  const analytics = new Analytics({
    writeKey: process.env.SEGMENT_WRITE_KEY, host: url.origin, path: `${url.pathname}/v1/batch`, maxRetries: 0,
  });
  let failed;
  analytics.on('error', (error) => { failed = error; });
  make(analytics);
  await analytics.closeAndFlush({ timeout: 5000 });
  if (failed) throw failed.reason instanceof Error ? failed.reason : Object.assign(new Error(failed.code), failed);
});

await call('identify', [
  person(['user-id:4711', 'user-id:anonymous:a-9f8e7d', 'email:ann@example.com', 'phone:+15550100123'],
    'email,phone,name,username,address,ip,location,birthdate,activity,language,custom'),
], (analytics) => analytics.identify({
  userId: '4711',
  anonymousId: 'a-9f8e7d',
  timestamp: new Date('2026-01-02T03:04:05Z'),
  traits: {
    email: 'ann@example.com',
    phone: '+1 555 010 0123',
    name: 'Ann Lee',
    firstName: 'Ann',
    lastName: 'Lee',
    username: 'annlee',
    birthday: '1980-01-02',
    age: 45,
    gender: 'female',
    title: 'Captain',
    avatar: 'https://cdn.shop.example/ann.png',
    createdAt: '2020-01-02T03:04:05Z',
    address: { street: '1 Main St', city: 'Springfield', postalCode: '62701', state: 'IL', country: 'US' },
    company: { name: 'Acme', id: '99' },
    favourite_colour: 'blue',
    friend: 'bob@example.com',
  },
  context: {
    ip: '192.0.2.17',
    locale: 'en-US',
    timezone: 'America/Chicago',
    userAgent: 'Mozilla/5.0',
    location: { city: 'Springfield', country: 'US', latitude: 39.8, longitude: -89.6 },
    device: { id: 'B5372DB0-C21E-11E4-8DFC-AA07A5B093DB', type: 'ios' },
  },
}));

// Each message of a batch is about a person of its own.
await call('batch', [
  person(['user-id:4711', 'user-id:17'], 'username,activity,custom'),
  person('user-id:4712', 'username,ip,activity'),
  person('user-id:anonymous:a-9f8e7d', 'username,activity'),
], (analytics) => {
  analytics.track({ userId: '4711', event: 'Order Completed', properties: { order_id: '17', email: 'eve@example.com' } });
  analytics.track({
    userId: '4712', event: 'Signed Up', context: { ip: '2001:db8::17', page: { path: '/join', referrer: 'https://x.example' } },
  });
  analytics.page({ anonymousId: 'a-9f8e7d', name: 'Home', properties: { url: 'https://shop.example/?utm_source=x' } });
  analytics.screen({ userId: '4711', name: 'Cart' });
  analytics.group({ userId: '4711', groupId: 'acme', traits: { name: 'Acme', employees: 329 } });
  analytics.alias({ userId: '4711', previousId: '17' });
});
