// Sends one message with the unmodified official SDK and prints what it learnt, as JSON.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.CORDON_SDK_DIR}/`);
const sendgrid = require('@sendgrid/mail');

sendgrid.setApiKey(process.env.SENDGRID_API_KEY);
// Without a gateway to point at, a proxy leads there.
if (process.env.CORDON_GATEWAY) {
  // After the key: setting the key sets the base URL back.
  sendgrid.client.setDefaultRequest('baseUrl', `${process.env.CORDON_GATEWAY}/v/sendgrid`);
}
sendgrid.client.setDefaultHeader('X-Cordon-Purpose', 'receipts');

const message = {
  to: { email: 'ann@example.com', name: 'Ann Lee' },
  from: 'shop@shop.example',
  subject: 'Your receipt',
  text: 'Thank you, Ann.',
  html: '<p>Thank you, Ann.</p>',
};

try {
  const [response] = await sendgrid.send(message);
  const { statusCode: status, headers } = response;
  console.log(JSON.stringify({ status, outcome: headers['x-cordon-outcome'] }));
} catch (error) {
  const { headers, body } = error.response;
  console.log(JSON.stringify({
    status: error.code,
    outcome: headers['x-cordon-outcome'],
    code: headers['x-cordon-code'],
    message: body.errors[0].message,
  }));
}
