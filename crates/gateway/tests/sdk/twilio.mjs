// Sends one text message with the unmodified official SDK and prints what it learnt, as JSON.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.CORDON_SDK_DIR}/`);
const twilio = require('twilio');

const client = twilio(process.env.TWILIO_ACCOUNT_SID, process.env.TWILIO_AUTH_TOKEN);
// Without a gateway to point at, a proxy leads there.
if (process.env.CORDON_GATEWAY) {
  client.api.baseUrl = `${process.env.CORDON_GATEWAY}/v/twilio`;
}

const message = { to: '+4930123456', from: '+15005550006', body: 'Your code is 123456' };

try {
  const { sid } = await client.messages.create(message);
  console.log(JSON.stringify({ sid }));
} catch (error) {
  console.log(JSON.stringify({ status: error.status, message: error.message }));
}
