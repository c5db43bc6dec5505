// What every script needs: the SDKs, where to send, and a way to say what a call must disclose.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { CORDON_SDK_DIR, CORDON_GATEWAY, CORDON_VENDOR, CORDON_CAPTURE, CORDON_CASES } = process.env;
const wanted = CORDON_CASES ? new Set(CORDON_CASES.split(',')) : null;

/** Loads a package from the folder of SDKs. */
export const require = createRequire(`${CORDON_SDK_DIR}/`);

/** The base URL that the SDK is pointed at: the vendor's own where a proxy leads to the gateway. */
export const base = (vendor) => CORDON_VENDOR ?? `${CORDON_GATEWAY}/v/${vendor}`;

/** A person that the request says something of: identifiers, fields, lists. */
export function person(identifiers, fields, ...lists) {
  return { identifiers: [identifiers].flat(), fields: fields.split(','), lists };
}

/**
 * Makes one call that is one request. `discloses` is what the vendor's documentation says that it
 * tells. The call is recorded, or else what the SDK made of the answer is printed.
 */
export async function record(sdk, name, discloses, call) {
  if (wanted && !wanted.has(name)) return;
  const said = await outcome(call);
  if (!CORDON_CAPTURE) {
    console.log(JSON.stringify({ case: name, ...said }));
    return;
  }
  if (!said.ok) throw new Error(`${name}: ${said.message}`, { cause: said.cause });
  const version = `${sdk} ${packageVersion(sdk)} (node)`;
  const body = JSON.stringify({ sdk: version, case: `${name}.node`, discloses });
  const answer = await fetch(`${CORDON_CAPTURE}/recorded`, { method: 'POST', body });
  if (!answer.ok) throw new Error(`${name}: ${await answer.text()}`);
}

async function outcome(call) {
  try {
    const value = await call();
    // Some SDKs resolve with the error.
    const failed = [value, value?.result].find((one) => one instanceof Error);
    if (failed) throw failed;
    return { ok: true };
  } catch (error) {
    const { status, statusCode, response, code, $metadata } = error;
    const number = [status, statusCode, response?.status, $metadata?.httpStatusCode, code];
    const said = [response?.data, response?.body, error.body, error.detail, error.details, error.errors];
    return {
      ok: false,
      status: number.find((one) => typeof one === 'number') ?? null,
      message: [error.message, ...said.filter(Boolean).map((one) => JSON.stringify(one))].join(' '),
    };
  }
}

function packageVersion(name) {
  const file = `${CORDON_SDK_DIR}/node_modules/${name}/package.json`;
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
