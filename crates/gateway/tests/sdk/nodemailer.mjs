// Sends one mail with the unmodified nodemailer and prints what it learnt, as JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.CORDON_SDK_DIR + "/");
const nodemailer = require("nodemailer");

const transport = nodemailer.createTransport({
  host: "localhost",
  port: Number(process.env.CORDON_SMTP_PORT),
  requireTLS: true,
  tls: { ca: readFileSync(process.env.CORDON_SMTP_CA) },
  auth: { user: "apikey", pass: process.env.SENDGRID_API_KEY },
});

let said;
try {
  const info = await transport.sendMail({
    from: "Shop <shop@shop.example>",
    to: ["Ann Lee <ann@example.com>", "bob@example.com"],
    bcc: "eve@example.com",
    subject: "Your receipt",
    text: "Thank you, Ann.",
    html: "<p>Thank you, Ann.</p>",
    attachments: [{ filename: "receipt.pdf", content: "%PDF-1.4" }],
    headers: { "X-Cordon-Purpose": "receipts" },
  });
  said = { accepted: info.accepted.length, reply: info.response };
} catch (error) {
  said = { code: error.responseCode, reply: error.response };
}
console.log(JSON.stringify(said));
