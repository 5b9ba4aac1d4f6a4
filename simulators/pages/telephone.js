// The telephone in a browser: asks the simulators once a second who called, and dials.
"use strict";
const base = location.pathname.replace(/\/phone\/?$/, "");
const own = document.getElementById("own");
const outcome = document.getElementById("outcome");

own.value = new URLSearchParams(location.search).get("number") || sessionStorage.getItem("own") || own.placeholder;
own.addEventListener("input", () => { sessionStorage.setItem("own", own.value); refresh(); });

async function ask(path, options) {
  const answer = await fetch(base + path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

function row(tag, cells) {
  const made = document.createElement(tag);
  for (const [name, text] of cells) {
    const cell = document.createElement(name);
    cell.textContent = text;
    made.append(cell, " ");
  }
  return made;
}

const time = (at) => new Date(at).toLocaleTimeString();

async function refresh() {
  const number = own.value.trim();
  try {
    const { incoming_calls: calls } = number ? await ask(`/phone/${encodeURIComponent(number)}`) : { incoming_calls: [] };
    const list = calls.map((call) => {
      const item = row("li", [["strong", call.from], ["span", time(call.at)], ["span", call.spoken || ""]]);
      item.classList.toggle("ringing", Date.now() - Date.parse(call.at) < 8000);
      return item;
    });
    document.getElementById("incoming").replaceChildren(...list.reverse());
    document.getElementById("quiet").hidden = list.length > 0;
    document.getElementById("press").hidden = list.length === 0;
    const { webhooks } = await ask("/webhooks");
    const rows = webhooks.slice(-20).reverse().map((webhook) => row("tr", [
      ["td", time(webhook.at)], ["td", webhook.provider], ["td", webhook.method],
      ["td", webhook.status ? `${webhook.outcome}: ${webhook.status}` : webhook.outcome],
    ]));
    document.getElementById("webhooks").replaceChildren(...rows);
  } catch { /* a number half typed, or the simulators stopped */ }
}

document.getElementById("dial").addEventListener("submit", async (event) => {
  event.preventDefault();
  const number = document.getElementById("number").value;
  try {
    const body = JSON.stringify({ number });
    const call = await ask(`/phone/${encodeURIComponent(own.value.trim())}/dial`, { method: "POST", body });
    outcome.textContent = call.answered ? `${call.provider} dropped the call. Webhook: ${call.webhook}.` : "No vendor expects this call.";
  } catch (error) {
    outcome.textContent = `Not dialled: ${error.message}`;
  }
  refresh();
});

document.getElementById("press").addEventListener("click", async () => {
  const heard = document.getElementById("heard");
  try {
    const body = JSON.stringify({ key: "1" });
    const { spoken } = await ask(`/phone/${encodeURIComponent(own.value.trim())}/press`, { method: "POST", body });
    heard.textContent = spoken ? `The call says: ${spoken}` : "The call says nothing.";
  } catch (error) {
    heard.textContent = `Not pressed: ${error.message}`;
  }
  refresh();
});

setInterval(refresh, 1000);
refresh();
