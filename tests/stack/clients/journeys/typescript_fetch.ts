// A verification from start to end with the client that openapi-generator makes for TypeScript and fetch.

import { Configuration, EventsApi, EventTypeEnum, Method, Problem, ResponseError, VerificationsApi } from "./client";

declare const process: { env: Record<string, string> };
const { BASE_URL, API_KEY, SIMULATOR_URL, FLASH_PHONE, REVERSE_PHONE, END_USER_IP } = process.env;

const configuration = new Configuration({ basePath: BASE_URL, accessToken: API_KEY });
const verifications = new VerificationsApi(configuration);

async function start(phone: string, method: Method) {
  const startRequest = { phone, method, endUserIp: END_USER_IP, locale: null };
  const idempotencyKey = crypto.randomUUID();
  const started = await verifications.startVerification({ startRequest, idempotencyKey });
  const again = await verifications.startVerification({ startRequest, idempotencyKey });
  if (again.id !== started.id) throw new Error("the second answer is another verification's");
  return started;
}

async function main() {
  const flash = await start(FLASH_PHONE, Method.FlashCall);
  if (flash.challenge?.type !== "enter_digits") throw new Error("another challenge");
  const { id } = flash;
  const check = (code: string) => verifications.checkCode({ id, checkRequest: { code } });
  const read = await verifications.getVerification({ id });
  const wrong = await check("0000");
  const { incoming_calls } = await (await fetch(`${SIMULATOR_URL}/phone/${FLASH_PHONE}`)).json();
  const right = await check(incoming_calls.at(-1).from.slice(-flash.challenge.length));
  const refused: Problem = await check("0000").then(
    () => { throw new Error("a check after the end was answered"); },
    (error: ResponseError) => error.response.json(),
  );

  const reverse = await start(REVERSE_PHONE, Method.ReverseCall);
  if (reverse.challenge?.type !== "call_number") throw new Error("another challenge");
  const canceled = await verifications.cancelVerification({ id: reverse.id });

  const events: EventTypeEnum[] = [];
  for (let after: string | undefined; !events.includes("verification.verified"); ) {
    const page = await new EventsApi(configuration).listEvents({ after });
    events.push(...page.events.filter((event) => event.data.id === id).map((event) => event.type));
    after = page.next;
    if (!page.hasMore) await new Promise((resolve) => setTimeout(resolve, 200));
  }

  console.log(
    JSON.stringify({
      read: read.status,
      wrong: [wrong.valid, wrong.checksRemaining],
      right: [right.valid, right.status, right.evidence, right.verifiedAt !== null],
      refused: [refused.status, refused.code],
      number: reverse.challenge.number,
      canceled: [canceled.status, canceled.reason],
      events,
    }),
  );
}

main();
