// Klaviyo: profiles, subscriptions, events.
import { base, person, record, require } from './case.mjs';

const klaviyo = require('klaviyo-api');
const session = new klaviyo.ApiKeySession(
  process.env.KLAVIYO_API_KEY, new klaviyo.RetryWithExponentialBackoff({ numRetries: 0 }));
const api = (Api) => Object.assign(new Api(session), { basePath: base('klaviyo') });
const profiles = api(klaviyo.ProfilesApi);
const events = api(klaviyo.EventsApi);
const privacy = api(klaviyo.DataPrivacyApi);
const call = (name, discloses, make) => record('klaviyo-api', name, discloses, make);
const list = 'Y6nRLr';
const toList = { lists: { data: [{ type: 'list', id: list }] } };

const ann = {
  email: 'ann@example.com',
  phoneNumber: '+15550100123',
  externalId: '4711',
  firstName: 'Ann',
  lastName: 'Lee',
  organization: 'Acme',
  locale: 'en-US',
  title: 'Captain',
  image: 'https://cdn.shop.example/ann.png',
  location: {
    address1: '1 Main St', address2: 'Apt 2', city: 'Springfield', region: 'IL', zip: '62701', country: 'US',
    latitude: 39.8, longitude: -89.6, timezone: 'America/Chicago', ip: '192.0.2.17',
  },
  properties: { plan: 'gold', friend: 'bob@example.com' },
};
const annWhole = person(
  ['email:ann@example.com', 'phone:+15550100123', 'user-id:4711'],
  'email,phone,name,username,address,ip,location,language,custom');

await call('profile-create', [annWhole],
  () => profiles.createProfile({ data: { type: 'profile', attributes: ann } }));
await call('profile-import', [annWhole],
  () => profiles.createOrUpdateProfile({
    data: { type: 'profile', attributes: ann, meta: { patchProperties: { append: { colours: 'blue' } } } },
  }));
await call('profile-update', [
  person(['user-id:klaviyo:01GDDKASAP8TKDDA2GRZDSVP4H', 'email:ann@example.com'], 'email,name'),
], () => profiles.updateProfile('01GDDKASAP8TKDDA2GRZDSVP4H', {
  data: {
    type: 'profile',
    id: '01GDDKASAP8TKDDA2GRZDSVP4H',
    attributes: { email: 'ann@example.com', lastName: 'Leigh' },
  },
}));
await call('profiles-bulk-import', [
  person(['email:ann@example.com', 'user-id:4711'], 'email,name,username', list),
  person(['phone:+15550100124'], 'phone,location,custom', list),
], () => profiles.bulkImportProfiles({
  data: {
    type: 'profile-bulk-import-job',
    attributes: {
      profiles: {
        data: [
          { type: 'profile', attributes: { email: 'ann@example.com', externalId: '4711', firstName: 'Ann' } },
          { type: 'profile', attributes: { phoneNumber: '+15550100124', location: { city: 'Rome' }, properties: { plan: 'none' } } },
        ],
      },
    },
    relationships: toList,
  },
}));
await call('profiles-subscribe', [
  person(['email:ann@example.com', 'phone:+15550100123'], 'email,phone', list),
  person(['user-id:klaviyo:01GDDKASAP8TKDDA2GRZDSVP4J', 'email:bob@example.com'], 'email', list),
], () => profiles.bulkSubscribeProfiles({
  data: {
    type: 'profile-subscription-bulk-create-job',
    attributes: {
      customSource: 'footer form',
      profiles: {
        data: [
          {
            type: 'profile',
            attributes: {
              email: 'ann@example.com',
              phoneNumber: '+15550100123',
              subscriptions: { email: { marketing: { consent: 'SUBSCRIBED' } }, sms: { marketing: { consent: 'SUBSCRIBED' } } },
            },
          },
          {
            type: 'profile',
            id: '01GDDKASAP8TKDDA2GRZDSVP4J',
            attributes: { email: 'bob@example.com', subscriptions: { email: { marketing: { consent: 'SUBSCRIBED' } } } },
          },
        ],
      },
    },
    relationships: { list: { data: { type: 'list', id: list } } },
  },
}));
await call('profiles-unsubscribe', [person('email:ann@example.com', 'email', list)],
  () => profiles.bulkUnsubscribeProfiles({
    data: {
      type: 'profile-subscription-bulk-delete-job',
      attributes: {
        profiles: {
          data: [{
            type: 'profile',
            attributes: { email: 'ann@example.com', subscriptions: { email: { marketing: { consent: 'UNSUBSCRIBED' } } } },
          }],
        },
      },
      relationships: { list: { data: { type: 'list', id: list } } },
    },
  }));
await call('profiles-suppress', [person('email:ann@example.com', 'email')],
  () => profiles.bulkSuppressProfiles({
    data: {
      type: 'profile-suppression-bulk-create-job',
      attributes: { profiles: { data: [{ type: 'profile', attributes: { email: 'ann@example.com' } }] } },
    },
  }));
await call('profiles-search', [person('email:ann@example.com', 'email')],
  () => profiles.getProfiles({ filter: 'equals(email,"ann@example.com")' }));
await call('profile-delete', [person('email:ann@example.com', 'email')],
  () => privacy.requestProfileDeletion({
    data: {
      type: 'data-privacy-deletion-job',
      attributes: { profile: { data: { type: 'profile', attributes: { email: 'ann@example.com' } } } },
    },
  }));

const metric = (name) => ({ metric: { data: { type: 'metric', attributes: { name } } } });
await call('event-create', [
  person(['email:ann@example.com', 'user-id:4711'], 'email,name,username,activity,custom'),
], () => events.createEvent({
  data: {
    type: 'event',
    attributes: {
      ...metric('Placed Order'),
      properties: { order: '17', gift_for: 'bob@example.com' },
      time: new Date('2026-01-02T03:04:05Z'),
      value: 9.99,
      valueCurrency: 'USD',
      uniqueId: 'order-17',
      profile: {
        data: {
          type: 'profile',
          attributes: { email: 'ann@example.com', externalId: '4711', firstName: 'Ann', properties: { plan: 'gold' } },
        },
      },
    },
  },
}));
await call('events-bulk-create', [
  person('email:ann@example.com', 'email,activity'),
  person('phone:+15550100124', 'phone,activity'),
], () => events.bulkCreateEvents({
  data: {
    type: 'event-bulk-create-job',
    attributes: {
      eventsBulkCreate: {
        data: [['email', 'ann@example.com'], ['phoneNumber', '+15550100124']].map(([key, value]) => ({
          type: 'event-bulk-create',
          attributes: {
            profile: { data: { type: 'profile', attributes: { [key]: value } } },
            events: { data: [{ type: 'event', attributes: { ...metric('Viewed'), properties: { page: '/' } } }] },
          },
        })),
      },
    },
  },
}));
