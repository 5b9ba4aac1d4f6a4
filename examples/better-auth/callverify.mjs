// Phone numbers of better-auth, verified by a call: options for its phone-number plugin.
//
//   betterAuth({ plugins: [phoneNumber({ ...byCall(), signUpOnVerification: … })] })
//
// BASE_URL and API_KEY are what the service's operator gave you.

import { randomUUID } from "node:crypto";
import { APIError } from "better-auth/api";

const { BASE_URL, API_KEY } = process.env;
const COOKIE = "callverify";
const SECONDS = 300; // that a flash call can be checked

async function call(path, body, headers = {}) {
  const answer = await fetch(BASE_URL + path, {
    method: "POST",
    headers: { Authorization: `Bearer ${API_KEY}`, "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  return { ok: answer.ok, read: await answer.json() };
}

/** What better-auth answers the browser with when callverify refuses. */
function refused({ status, code, detail }) {
  const names = { 400: "BAD_REQUEST", 403: "FORBIDDEN", 409: "CONFLICT", 422: "BAD_REQUEST", 429: "TOO_MANY_REQUESTS" };
  return new APIError(names[status] ?? "SERVICE_UNAVAILABLE", { code, message: detail });
}

/** The id of this browser's verification of a number; undefined where there is none. */
async function verificationOf(phoneNumber, ctx) {
  const kept = (await ctx.getSignedCookie(COOKIE, ctx.context.secret)) || "";
  const [id, phone] = kept.split(" ");
  return phone === phoneNumber ? id : undefined;
}

/** addressOf: the address of the user, from better-auth's context. With it, limits count by your users' addresses. */
export function byCall({ addressOf = () => undefined } = {}) {
  return {
    /** A flash call, in place of better-auth's own code. While one can be checked, the same call again. */
    async sendOTP({ phoneNumber }, ctx) {
      const earlier = await verificationOf(phoneNumber, ctx);
      if (earlier) {
        const { ok, read } = await call(`/verifications/${earlier}/repeat`, {});
        if (ok) return;
        if (!["verification_not_pending", "not_found"].includes(read.code)) throw refused(read);
      }
      const body = { phone: phoneNumber, method: "flash_call", end_user_ip: addressOf(ctx) };
      const { ok, read } = await call("/verifications", body, { "Idempotency-Key": randomUUID() });
      if (!ok) throw refused(read);
      // The verification belongs to this browser and to this number. Without the number in it, a user who has verified
      // their own phone could sign in as the owner of another.
      await ctx.setSignedCookie(COOKIE, `${read.id} ${phoneNumber}`, ctx.context.secret, {
        httpOnly: true,
        maxAge: SECONDS,
        path: "/",
        sameSite: "lax",
        secure: ctx.context.baseURL.startsWith("https:"),
      });
    },

    /** Whether the code is that of this browser's call to this number. It is right once. */
    async verifyOTP({ phoneNumber, code }, ctx) {
      const id = await verificationOf(phoneNumber, ctx);
      if (!id) return false;
      const { ok, read } = await call(`/verifications/${id}/check`, { code });
      return ok && read.valid;
    },
  };
}
