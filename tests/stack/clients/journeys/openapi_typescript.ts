// A verification from start to end with the types that openapi-typescript makes, and openapi-fetch.

import createClient from "openapi-fetch";
import type { components, paths } from "./client";

declare const process: { env: Record<string, string> };
const { BASE_URL, API_KEY, SIMULATOR_URL, FLASH_PHONE, REVERSE_PHONE, END_USER_IP } = process.env;
type Method = components["schemas"]["Method"];
type EventType = components["schemas"]["Event"]["type"];

const client = createClient<paths>({ baseUrl: BASE_URL, headers: { Authorization: `Bearer ${API_KEY}` } });

function got<T>(answer: { data?: T; error?: components["schemas"]["Problem"] }): T {
  if (!answer.data) throw new Error(answer.error?.detail);
  return answer.data;
}

async function start(phone: string, method: Method) {
  const header = { "Idempotency-Key": crypto.randomUUID() };
  const body = { phone, method, end_user_ip: END_USER_IP, locale: null };
  const started = got(await client.POST("/verifications", { params: { header }, body }));
  const again = got(await client.POST("/verifications", { params: { header }, body }));
  if (again.id !== started.id) throw new Error("the second answer is another verification's");
  return started;
}

async function main() {
  const flash = await start(FLASH_PHONE, "flash_call");
  if (flash.challenge?.type !== "enter_digits") throw new Error("another challenge");
  const params = { path: { id: flash.id } };
  const check = (code: string) => client.POST("/verifications/{id}/check", { params, body: { code } });
  const read = got(await client.GET("/verifications/{id}", { params }));
  const wrong = got(await check("0000"));
  const { incoming_calls } = await (await fetch(`${SIMULATOR_URL}/phone/${FLASH_PHONE}`)).json();
  const right = got(await check(incoming_calls.at(-1).from.slice(-flash.challenge.length)));
  const { error: refused } = await check("0000");

  const reverse = await start(REVERSE_PHONE, "reverse_call");
  if (reverse.challenge?.type !== "call_number") throw new Error("another challenge");
  const canceled = got(await client.POST("/verifications/{id}/cancel", { params: { path: { id: reverse.id } } }));

  const events: EventType[] = [];
  for (let after: string | undefined; !events.includes("verification.verified"); ) {
    const page = got(await client.GET("/events", { params: { query: { after } } }));
    events.push(...page.events.filter((event) => event.data.id === flash.id).map((event) => event.type));
    after = page.next;
    if (!page.has_more) await new Promise((resolve) => setTimeout(resolve, 200));
  }

  console.log(
    JSON.stringify({
      read: read.status,
      wrong: [wrong.valid, wrong.checks_remaining],
      right: [right.valid, right.status, right.evidence, right.verified_at !== null],
      refused: [refused?.status, refused?.code],
      number: reverse.challenge.number,
      canceled: [canceled.status, canceled.reason],
      events,
    }),
  );
}

main();
