// Twilio: messages, Verify, Lookups. Each product has a base URL of its own.
import { base, person, record, require } from './case.mjs';

const client = require('twilio')(process.env.TWILIO_ACCOUNT_SID, process.env.TWILIO_AUTH_TOKEN);
for (const product of [client.api, client.verify, client.lookups]) product.baseUrl = base('twilio');
const call = (name, discloses, make) => record('twilio', name, discloses, make);
const from = '+15005550006';

await call('message-one', [person('phone:+15550100123', 'phone,content')],
  () => client.messages.create({
    to: '+1 (555) 010-0123',
    from,
    body: 'Grüße, 安! Your code is 123456',
    statusCallback: 'https://hooks.shop.example/twilio',
    validityPeriod: 600,
    contentRetention: 'discard',
    addressRetention: 'obfuscate',
  }));
await call('message-media', [person('phone:+15550100123', 'phone,content,attachment')],
  () => client.messages.create({
    to: '+15550100123',
    from,
    body: 'Your receipt',
    mediaUrl: ['https://cdn.shop.example/r/17.png', 'https://cdn.shop.example/r/18.png'],
  }));
await call('message-template', [person('phone:+15550100123', 'phone,content')],
  () => client.messages.create({
    to: 'whatsapp:+15550100123',
    messagingServiceSid: 'MG0123456789abcdef0123456789abcdef',
    contentSid: 'HX0123456789abcdef0123456789abcdef',
    contentVariables: JSON.stringify({ 1: 'Ann', 2: 'write to bob@example.com' }),
    scheduleType: 'fixed',
    sendAt: new Date('2026-12-24T12:00:00Z'),
  }));
await call('messages-search', [person('phone:+15550100123', 'phone')],
  () => client.messages.list({ to: '+15550100123', limit: 1, pageSize: 1 }));

const service = client.verify.v2.services('VA0123456789abcdef0123456789abcdef');
await call('verification-start', [person('phone:+15550100123', 'phone,ip,language,content,custom')],
  () => service.verifications.create({
    to: '+15550100123',
    channel: 'sms',
    locale: 'de',
    deviceIp: '192.0.2.17',
    templateSid: 'HJ0123456789abcdef0123456789abcdef',
    templateCustomSubstitutions: JSON.stringify({ first: 'Ann' }),
    tags: JSON.stringify({ customer: '4711' }),
  }));
// A code of the company's own goes with it.
await call('verification-start-code', [person('email:ann@example.com', 'email,password')],
  () => service.verifications.create({ to: 'ann@example.com', channel: 'email', customCode: '123456' }));
await call('verification-check', [person('phone:+15550100123', 'phone,password')],
  () => service.verificationChecks.create({ to: '+15550100123', code: '123456' }));
// The number is in the path.
await call('verification-cancel', [person('phone:+15550100123', 'phone')],
  () => service.verifications('+15550100123').update({ status: 'canceled' }));

const lookup = client.lookups.v2.phoneNumbers('+15550100123');
await call('lookup', [person('phone:+15550100123', 'phone')], () => lookup.fetch());
await call('lookup-identity', [
  person('phone:+15550100123', 'phone,name,address,location,birthdate,government_id'),
], () => lookup.fetch({
  fields: 'identity_match,line_type_intelligence',
  firstName: 'Ann',
  lastName: 'Lée',
  addressLine1: '1 Main St',
  addressLine2: 'Apt 2',
  city: 'Springfield',
  state: 'IL',
  postalCode: '62701',
  addressCountryCode: 'US',
  nationalId: '078-05-1120',
  dateOfBirth: '19800102',
}));
