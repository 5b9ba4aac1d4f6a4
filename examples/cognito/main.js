// Signs up, which does no harm where the account is there already, and signs in.
import { signIn, signUp, wordOf } from "./plain.js";
import { prove } from "./prove.js";

// {"endpoint": "https://cognito-idp.<region>.amazonaws.com/", "clientId": "…"}
const pool = await (await fetch("config.json")).json();
const place = document.querySelector("#proof");
const status = document.querySelector("[role=status]");

const SAID = {
  LIMITED: "Too many attempts. Try again later.",
  IN_PROGRESS: "Another sign-in of this phone is in progress. Try again later.",
  PHONE_NOT_ALLOWED: "This number can't be verified.",
};

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  status.textContent = "";
  try {
    await signUp(pool, form.get("phone"));
    const wanted = { method: form.get("method"), locale: "en" };
    const tokens = await signIn(pool, form.get("phone"), wanted, (pageUrl) => prove(pageUrl, place));
    const [, claims] = tokens.IdToken.split(".");
    status.textContent = `Signed in as ${JSON.parse(atob(claims.replace(/-/g, "+").replace(/_/g, "/"))).phone_number}`;
  } catch (error) {
    status.textContent = SAID[wordOf(error)] || "It did not work. Try again.";
  } finally {
    place.replaceChildren();
  }
});
