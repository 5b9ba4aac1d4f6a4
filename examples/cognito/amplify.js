// The same with Amplify, for a page that is built with a bundler. Configure Amplify with the pool first.
import { confirmSignIn, signIn as begin, signUp as register } from "aws-amplify/auth";
import { password } from "./plain.js";

export async function signUp(phone) {
  try {
    await register({ username: phone, password: password() });
  } catch (error) {
    if (error.name !== "UsernameExistsException") throw error;
  }
}

// wanted: { method, locale }. prove: as in plain.js. Afterwards the user is signed in to Amplify.
export async function signIn(phone, wanted, prove) {
  await begin({ username: phone, options: { authFlowType: "CUSTOM_WITHOUT_SRP" } });
  const asked = await confirmSignIn({ challengeResponse: "-", options: { clientMetadata: wanted } });
  const { page_url, verification_id } = asked.nextStep.additionalInfo;
  await prove(page_url);
  const done = await confirmSignIn({ challengeResponse: verification_id });
  if (!done.isSignedIn) throw new Error("the phone is not proven");
}
