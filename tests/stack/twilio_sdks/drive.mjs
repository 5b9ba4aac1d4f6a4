// Runs calls of Twilio's own Node SDK, unmodified but for its base URL: see drive.py, whose arguments and answers are these.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [sdk, baseUrl, accountSid, password, serviceSid] = process.argv.slice(2);
const twilio = createRequire(sdk)("twilio");
const client = twilio(accountSid, password);
client.verify.baseUrl = baseUrl;
const service = client.verify.v2.services(serviceSid);
const calls = {
  create: (given) => service.verifications.create(given),
  fetch: ({ sid }) => service.verifications(sid).fetch(),
  update: ({ sid, ...given }) => service.verifications(sid).update(given),
  check: (given) => service.verificationChecks.create(given),
  service: () => service.fetch(),
  services: async () => (await client.verify.v2.services.list())[0],
  create_service: (given) => client.verify.v2.services.create(given),
  attempts: async (given) => (await client.verify.v2.verificationAttempts.list(given))[0],
};
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const names = [
  ...["sid", "status", "valid", "to", "channel", "sna", "account_sid", "service_sid", "friendly_name", "code_length"],
  ...["conversion_status", "send_code_attempts", "date_created"],
];

async function answer(call, given) {
  try {
    const named = Object.fromEntries(Object.entries(given).map(([name, value]) => [camel(name), value]));
    const found = await calls[call](named);
    return { found: Object.fromEntries(names.map((name) => [name, found[camel(name)] ?? null])) };
  } catch (error) {
    return { raised: error.constructor.name, status: error.status, code: error.code, message: error.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(...JSON.parse(line))));
}
