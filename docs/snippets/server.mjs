// Calling callverify from a backend, with Node 18 or newer and no package. Take what you need.
//
// BASE_URL and API_KEY are what the service's operator gave you.

import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";

const { BASE_URL, API_KEY } = process.env;

/** An answer that is not a success: problem.code is for programs, problem.detail for people. */
export class Refused extends Error {
  constructor(problem) {
    super(`${problem.status} ${problem.code}: ${problem.detail}`);
    this.problem = problem;
  }
}

async function call(method, path, body, headers = {}) {
  const answer = await fetch(BASE_URL + path, {
    method,
    headers: { Authorization: `Bearer ${API_KEY}`, "Content-Type": "application/json", ...headers },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  const read = await answer.json();
  if (!answer.ok) throw new Refused(read);
  return read;
}

/**
 * A random key for one click of the user on "Confirm my number". Make it on your server and keep it there.
 * Don't build it from an order or a phone: after a cancel or an expiry, a new click would get the ended verification.
 */
export function newClick() {
  return randomUUID();
}

/**
 * Start a verification. A retry with the same `click`, after a timeout for instance, costs one call in all.
 * click: from newClick(). Keep the reply's `id` in the user's session. If they click again while that verification is
 * pending, cancel it first. Your app gets `client_token` and `challenge`, and never the API key.
 */
export function start(phone, click, endUserIp, method = "reverse_call") {
  // `reference` is new for each click: a start with the same one, key and phone learns this verification's id.
  const body = { phone, method, reference: click, end_user_ip: endUserIp };
  return call("POST", "/verifications", body, { "Idempotency-Key": click });
}

/** End a pending verification, so that its phone is free for another one. Refused if it has ended. */
export function cancel(id) {
  return call("POST", `/verifications/${id}/cancel`);
}

/** Check the code that the user typed: true or false. Refused when there is nothing left to check. */
export async function check(id, code) {
  return (await call("POST", `/verifications/${id}/check`, { code })).valid;
}

/** The verification when it has ended: by a call that was answered, or by its window. Events spare you this. */
export async function wait(id, seconds = 300) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const verification = await call("GET", `/verifications/${id}`);
    if (verification.status !== "pending" || Date.now() > deadline) return verification;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

/**
 * The event in a request to your EventWebhookUrl, by the Standard Webhooks spec; throws if it is not ours.
 * headers: with names in lower case, as Node gives them. body: the raw text. secret: whsec_…. Answer with a 2xx within
 * 10 seconds; an event may come twice, with the same `id`, and late ones may come after newer ones.
 */
export function readEvent(headers, body, secret, now = Date.now() / 1000) {
  for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
    if (!headers[name]) throw new Error(`the header ${name} is missing`);
  }
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  if (!key.length) throw new Error("the secret is empty");
  const expected = Buffer.from(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  // While a secret is being rotated there are two signatures.
  const given = headers["webhook-signature"].split(" ").map((signature) => Buffer.from(signature));
  if (!given.some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected))) {
    throw new Error("not signed with our secret");
  }
  if (!(Math.abs(now - Number(headers["webhook-timestamp"])) <= 300)) {
    throw new Error("too old: it may have been sent by somebody who overheard it");
  }
  return JSON.parse(body);
}
