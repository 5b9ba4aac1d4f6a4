// better-auth with users who have a phone and nothing else. Their number is verified by a call.

import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { phoneNumber } from "better-auth/plugins";
import { byCall } from "./callverify.mjs";

const tables = { user: [], session: [], account: [], verification: [] };

export const auth = betterAuth({
  baseURL: process.env.AUTH_URL ?? "http://localhost:3000",
  secret: process.env.BETTER_AUTH_SECRET,
  database: memoryAdapter(tables), // yours in its place: this one forgets all users at the end of the process
  plugins: [
    phoneNumber({
      ...byCall(),
      phoneNumberValidator: (phone) => /^\+[1-9][0-9]{6,14}$/.test(phone), // E.164: one spelling for each number
      signUpOnVerification: { getTempEmail: (phone) => `${phone.slice(1)}@phone.invalid` },
    }),
  ],
});
