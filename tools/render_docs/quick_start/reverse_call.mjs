const { BASE_URL, API_KEY } = process.env;

async function call(path, options = {}) {
  const headers = { Authorization: `Bearer ${API_KEY}`, ...options.headers };
  return (await fetch(BASE_URL + path, { ...options, headers })).json();
}

let verification = await call("/verifications", {
  method: "POST",
  headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
  body: JSON.stringify({ phone: "+79000000103", method: "reverse_call" }),
});
console.log("Show the user:", verification.challenge.number);

while (verification.status === "pending") {
  await new Promise((resolve) => setTimeout(resolve, 3000));
  verification = await call(`/verifications/${verification.id}`);
}
console.log(verification.status, verification.evidence);
