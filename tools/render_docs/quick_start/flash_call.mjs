const { BASE_URL, API_KEY } = process.env;

async function post(path, body, headers = {}) {
  const response = await fetch(BASE_URL + path, {
    method: "POST",
    headers: { Authorization: `Bearer ${API_KEY}`, "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return response.json();
}

const click = { "Idempotency-Key": crypto.randomUUID() };
const started = await post("/verifications", { phone: "+79000000101", method: "flash_call" }, click);
console.log(started.status, started.challenge);

const checked = await post(`/verifications/${started.id}/check`, { code: "0000" });
console.log(checked.status, checked.valid);
