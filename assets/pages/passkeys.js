// Passkeys: between the server's JSON and what the browser takes. Browsers learned to do this themselves only lately.
import { ask, say } from "./page.js";

export const canPasskeys = () => Boolean(window.PublicKeyCredential && navigator.credentials);

function toBytes(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}

function toText(bytes) {
  const binary = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const named = (list) => (list ?? []).map((credential) => ({ ...credential, id: toBytes(credential.id) }));

/// What goes wrong at the authenticator, as a sentence.
export class PasskeyError extends Error {}

async function atAuthenticator(work) {
  try {
    return await work();
  } catch (wrong) {
    const texts = {
      NotAllowedError: say("passkey.none"),
      InvalidStateError: say("passkey.twice"),
    };
    throw new PasskeyError(texts[wrong.name] ?? say("passkey.failed", { reason: wrong.name }));
  }
}

function toJson({ id, rawId, type, response, authenticatorAttachment, ...credential }) {
  const parts = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) parts[name] = toText(response[name]);
  }
  if (response.getTransports) parts.transports = response.getTransports();
  return { id, rawId: toText(rawId), type, response: parts, extensions: {}, ...credential };
}

/// Makes a passkey. A guest keeps `name` by it; others confirm with their password unless they signed in just now. Gives the account.
export async function makePasskey(label, confirmation) {
  const { ceremony, options } = await ask("api/account/passkeys/begin", { body: confirmation });
  const asked = options.publicKey;
  const publicKey = { ...asked, challenge: toBytes(asked.challenge), user: { ...asked.user, id: toBytes(asked.user.id) }, excludeCredentials: named(asked.excludeCredentials) };
  const made = await atAuthenticator(() => navigator.credentials.create({ publicKey }));
  return ask("api/account/passkeys/finish", { body: { ceremony, credential: toJson(made), label } });
}

/// Signs in with whatever passkey the browser has. Gives the account.
export async function signInByPasskey() {
  const { ceremony, options } = await ask("api/account/sign-in/passkey/begin", { body: {} });
  const asked = options.publicKey;
  const publicKey = { ...asked, challenge: toBytes(asked.challenge), allowCredentials: named(asked.allowCredentials) };
  const answer = await atAuthenticator(() => navigator.credentials.get({ publicKey }));
  return ask("api/account/sign-in/passkey/finish", { body: { ceremony, credential: toJson(answer) } });
}
