// Sign-up and sign-in with Cognito's own API, in four requests. pool: { endpoint, clientId }.

async function call(pool, operation, body) {
  const response = await fetch(pool.endpoint, {
    method: "POST",
    headers: {
      "Content-Type": "application/x-amz-json-1.1",
      "X-Amz-Target": `AWSCognitoIdentityProviderService.${operation}`,
    },
    body: JSON.stringify({ ClientId: pool.clientId, ...body }),
  });
  const answer = await response.json();
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.message), { name: String(answer.__type).split("#").pop() });
}

const WORDS = /\b(PHONE_NOT_ALLOWED|ATTRIBUTE_NOT_ALLOWED|LIMITED|IN_PROGRESS|INVALID_PARAMETERS|UNAVAILABLE)\b/;

// The word of a trigger's refusal: of "… failed with error IN_PROGRESS 95." IN_PROGRESS.
export function wordOf(error) {
  return (WORDS.exec(error.message) || [""])[0];
}

// Nobody will ever type it.
export function password() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `${Array.from(bytes, (byte) => byte.toString(16)).join("")}aA1!`;
}

// Without attributes: the phone is the username, which Cognito makes the phone_number.
export async function signUp(pool, phone) {
  try {
    await call(pool, "SignUp", { Username: phone, Password: password() });
  } catch (error) {
    if (error.name !== "UsernameExistsException") throw error;
  }
}

// wanted: { method, locale }. prove: shows the page of a URL, until the user has proven the phone there.
export async function signIn(pool, phone, wanted, prove) {
  const answer = (session, text, metadata) =>
    call(pool, "RespondToAuthChallenge", {
      ChallengeName: "CUSTOM_CHALLENGE",
      Session: session,
      ChallengeResponses: { USERNAME: phone, ANSWER: text },
      ClientMetadata: metadata,
    });
  const begun = await call(pool, "InitiateAuth", { AuthFlow: "CUSTOM_AUTH", AuthParameters: { USERNAME: phone } });
  const asked = await answer(begun.Session, "-", wanted);
  await prove(asked.ChallengeParameters.page_url);
  const done = await answer(asked.Session, asked.ChallengeParameters.verification_id);
  if (!done.AuthenticationResult) throw new Error("the phone is not proven");
  return done.AuthenticationResult;
}
