// The page for the person being verified. It draws what the API says, by the type of the challenge; listens, and asks again.
"use strict";
(() => {
  const { present, element, vector, icon, sign, heading, rich, fill, clock, pretty, ends, digitsOf } = parts;
  const { words: WORDS, brands: BRANDS } = given;
  const FIRST_WAIT = 1000, LONGEST_WAIT = 5000, LONGEST_PAUSE = 30000, ANSWER_WITHIN = 10000;
  // Between reads while it listens: a message can get lost. Between two tries to listen, at first.
  const LISTENING_WAIT = 15000, DEAF_WAIT = 2000;
  // Between the keys of somebody who types a whole number.
  const TYPING_PAUSE = 800;
  // When a call that has not come can be taken for missed.
  const HINT_AFTER = 25000;
  // How many codes are few enough to be told before one was wrong.
  const FEW_TRIES = 2;
  // So long is counted down on the button; what lasts longer is told in words.
  const LONGEST_COUNTDOWN = 120000, HOUR = 3600000;
  const STORE = "callverify";

  const root = document.documentElement;
  const card = document.getElementById("card"), news = document.getElementById("news");
  // A page opened before an upgrade has none of these.
  const part = (id, tag) => document.getElementById(id) || element(tag, { id });
  const sheet = part("sheet", "div"), head = part("head", "header"), foot = part("foot", "footer");
  if (!sheet.contains(card)) { card.replaceWith(sheet); sheet.append(head, card, foot); }
  const connection = document.getElementById("connection");
  const api = location.pathname.replace(/\/page\/?$/, "");
  const origins = (name) => (root.dataset[name] || "").split(" ").filter(Boolean);
  const framed = window.parent !== window;

  let link, words, locale, skew;  // what the link says; skew: the server's clock minus ours, in ms
  let resource, drawn, ended, switching, parentOrigin;
  let timer, waitFor, asking, refused, unwell, readAtEnd;  // refused, unwell: how many reads in a row
  let socket, listening, deafFor, listenNotBefore;
  let offline, shownAt, repeatNotBefore, repeatedAt, repeatable, pending, saidSoon, flow = 0;  // pending: a step without an answer
  let waits;  // what is counted down on this screen: { node, text, until, done }

  // The link

  function readLink() {
    // As it comes out of HTML, JSON or a messenger that quoted it once more.
    const told = new URLSearchParams(location.hash.slice(1)
      .replace(/(&|%26)((amp|#38|#x26)(;|%3B))*|\\u0026/gi, "&").replace(/%3D/gi, "="));
    if (told.get("id") && told.get("token")) {
      const found = {};
      for (const name of ["id", "token", "locale", "brand", "channel", "updates"]) {
        const value = (told.get(name) || "").trim();
        found[name] = /^[!-~]*$/.test(value) ? value : "";  // else damaged: no header and no address can hold it
      }
      if (!found.id || !found.token) return null;
      // Out of the address bar, the history and whatever copies them; kept for a reload, for this tab alone.
      history.replaceState(null, "", location.pathname + location.search);
      return keep(found);
    }
    try { return JSON.parse(sessionStorage.getItem(STORE)); } catch { return null; }
  }

  function keep(found) {
    try { sessionStorage.setItem(STORE, JSON.stringify(found)); } catch { /* a frame without storage */ }
    return found;
  }

  // Where the start asked for, as the API says: anybody can write a link.
  function returnUrl() {
    try {
      const url = new URL(link.returnUrl);
      if (!origins("returnOrigins").includes(url.origin)) return null;
      url.searchParams.set("verification_id", link.id);
      return url.href;
    } catch { return null; }
  }

  function begin() {
    flow += 1;
    clearTimeout(timer);
    stopListening();
    link = readLink();
    const wanted = [link && link.locale, ...(navigator.languages || [])].map((tag) => (tag || "").slice(0, 2));
    locale = wanted.find((tag) => tag in WORDS) || "en";
    words = WORDS[locale];
    root.lang = locale;
    resource = drawn = switching = pending = null;
    waits = [];
    ended = asking = offline = saidSoon = readAtEnd = false;
    repeatable = true;
    skew = repeatNotBefore = repeatedAt = refused = unwell = listenNotBefore = 0;
    waitFor = FIRST_WAIT;
    deafFor = DEAF_WAIT;
    connection.hidden = true;
    if (link) poll();  // first: nothing that goes wrong below stops it
    try { drawSurroundings(link && link.brand, link && link.id.startsWith("vrf_test_")); } catch (error) { cannotDraw(error); }
    if (link) {
      try { draw("loading", [sign("phone"), heading(words.loading)], { quiet: true }); } catch (error) { cannotDraw(error); }
    } else {
      end("empty");
    }
  }

  // Asking the API

  async function ask(method, path, body, headers) {
    const abort = new AbortController();
    const limit = setTimeout(() => abort.abort(), ANSWER_WITHIN);
    try {
      const answer = await fetch(`${api}/verifications/${encodeURIComponent(link.id)}${path}`, {
        method,
        headers: { Authorization: `Bearer ${link.token}`, ...(body && { "Content-Type": "application/json" }), ...headers },
        body: body && JSON.stringify(body),
        cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer", signal: abort.signal,
      });
      const date = Date.parse(answer.headers.get("Date"));
      // Corrected only when clearly off: the header has whole seconds.
      if (date && Math.abs(date - Date.now() - skew) > 2000) skew = date - Date.now();
      // Good news that is cut off, or is not ours (a hotel's sign-in page), is no answer.
      const content = await answer.json().catch((error) => { if (answer.ok) throw error; return {}; });
      const wait = Number(answer.headers.get("Retry-After")) || 0;
      setOffline(false);
      return { status: answer.status, body: content, wait };
    } catch {
      setOffline(true);
      return { status: 0, body: {}, wait: 0 };
    } finally {
      clearTimeout(limit);
    }
  }

  async function poll() {
    clearTimeout(timer);
    // Hidden it rests; being shown has it ask.
    if (ended || asking || (document.hidden && resource)) return;
    asking = true;
    listen();
    const mine = flow;
    let wait = LONGEST_WAIT;
    try {
      const answer = await ask("GET", "");
      if (mine === flow) wait = hear(answer);
    } catch (error) {
      cannotDraw(error);
    }
    if (mine !== flow) return;
    asking = false;
    if (!ended) later(wait);
  }

  // What a read brought; returns the milliseconds until the next one.
  function hear({ status, body, wait }) {
    if (status) refused = [401, 403, 404].includes(status) ? refused + 1 : 0;
    unwell = status === 429 || status >= 500 ? unwell + 1 : 0;
    if (status === 200) take(body);
    // Once may be a firewall's or a deployment's.
    else if (refused > 1) end("gone");
    if (unwell) return Math.min(LONGEST_PAUSE, Math.max(wait * 1000, FIRST_WAIT * 2 ** unwell));
    if (status === 200 && body.poll_after) {
      const due = Date.parse(body.poll_after) - Date.now() - skew;
      return Math.min(LONGEST_PAUSE, Math.max(due, listening ? LISTENING_WAIT : FIRST_WAIT));
    }
    const next = waitFor;
    waitFor = Math.min(waitFor * 1.35, LONGEST_WAIT);
    return next;
  }

  function later(wait) {
    clearTimeout(timer);
    timer = setTimeout(poll, wait);
  }

  // Reads at once, whatever the last read was told: when the user comes back, and at the end of the window.
  function hurry() {
    if (!link || ended) return;
    waitFor = FIRST_WAIT;
    later(0);
  }

  function setOffline(now) {
    if (now === offline || ended) return;
    offline = now;
    connection.textContent = words.offline;
    connection.hidden = !now;
    if (!now) { say(words.online); waitFor = FIRST_WAIT; }
  }

  // Listening: AppSync Events over a WebSocket. Without it the page works as well, and asks more often.

  function listen() {
    const { updatesUrl: url, updatesHost: host } = root.dataset;
    if (!url || !link.channel || !link.updates || socket || ended || Date.now() < listenNotBefore) return;
    const authorization = { host, Authorization: link.updates };
    const header = btoa(JSON.stringify(authorization)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    try {
      socket = new WebSocket(url, ["aws-appsync-event-ws", `header-${header}`]);
    } catch { return deaf(); }
    const mine = socket;
    const send = (message) => mine.send(JSON.stringify(message));
    mine.onopen = () => send({ type: "connection_init" });
    mine.onmessage = ({ data }) => {
      if (mine !== socket) return;
      const message = JSON.parse(data);
      if (message.type === "connection_ack") {
        send({ type: "subscribe", id: link.id, channel: link.channel, authorization });
      } else if (message.type === "subscribe_success") {
        listening = true;
        deafFor = DEAF_WAIT;
        hurry();  // what happened between the last read and now
      } else if (message.type === "data") {
        for (const event of [].concat(message.event)) {
          try { take(JSON.parse(event)); } catch (error) { cannotDraw(error); }
        }
      } else if (/error/.test(message.type)) {
        deaf();
      }
    };
    // Where a policy blocks it, Chromium fires `error` and never `close`.
    mine.onerror = mine.onclose = () => { if (mine === socket) deaf(); };
  }

  function deaf() {
    const heard = listening;
    stopListening();
    listenNotBefore = Date.now() + deafFor;
    deafFor = Math.min(deafFor * 2, LONGEST_PAUSE * 2);
    if (heard) hurry();
  }

  function stopListening() {
    const old = socket;
    socket = null;
    listening = false;
    if (old) old.close();
  }

  // What the API said

  function take(body) {
    // What was on its way while another answer or message brought the same or more.
    if (body.id !== link.id) return;  // a link that was put together from two
    if (ended || (resource && drawn && body !== resource && body.revision <= resource.revision)) return;
    const attempt = body.attempts.length;
    if (!resource || body.expires_at !== resource.expires_at) readAtEnd = false;
    resource = body;
    drawSurroundings(body.brand, body.mode === "test");
    if (body.return_url && !link.returnUrl) keep(Object.assign(link, { returnUrl: body.return_url }));
    if (body.status !== "pending") {
      const digits = body.challenge && body.challenge.type === "enter_digits";
      if (body.status === "failed") return end(body.reason === "checks_exhausted" ? body.reason : "failed");
      return end(body.status === "expired" && digits ? "expired_digits" : body.status);
    }
    if (!body.challenge) return;  // the provider has not answered yet
    if (switching) { if (switching.attempt === attempt) return; switching = null; }
    const key = `${body.challenge.type} ${attempt}`, show = CHALLENGES[body.challenge.type];
    if (drawn !== key && show) {
      shownAt = Date.now();
      repeatNotBefore = 0;
      repeatable = true;
      saidSoon = false;
      show(key, body);
      tell("pending");
    }
    tick();
  }

  // Drawing

  const count = (forms, n) => parts.count(forms, n, locale);

  // Whose page it is, as the start said, and whether any of this is real.
  function drawSurroundings(id, test) {
    const name = Object.keys(BRANDS).includes(id) ? id : "", brand = BRANDS[name];
    const whatIsDrawn = `${locale} ${name} ${test ? "test" : "live"}`;
    if (head.dataset.drawn === whatIsDrawn) return;
    head.dataset.drawn = whatIsDrawn;
    root.dataset.brand = name;
    const logo = brand.logo && element("img", { class: "logo", src: brand.logo, alt: brand.name, onerror: () => logo.replaceWith(brand.name) });
    // In a frame, the site around it has said whose it is.
    const whose = framed || !(logo || brand.name) ? null : element("p", { class: "whose" }, logo || brand.name);
    head.replaceChildren(...present([whose, test ? element("p", { class: "test" }, words.testMode) : null]));
    head.hidden = !head.children.length;
    foot.replaceChildren(...present([support("help", "link")]));
  }

  function support(text, kind) {
    const { support: url } = BRANDS[root.dataset.brand];
    return url ? element("a", { class: kind, href: url, target: "_blank", rel: "noopener" }, words[text]) : null;
  }

  function mask() {
    const { country, last } = ends(resource.phone);
    return `${country}\u00a0•••\u00a0•••-${last}`;
  }

  const phone = () => element("span", { class: "phone" }, mask());

  function draw(key, content, { quiet, focus } = {}) {
    card.replaceChildren(...present(content));
    drawn = key;
    waits = [];
    // Where support is a button of the screen itself, it is no link below.
    foot.hidden = !foot.children.length || Boolean(card.querySelector(".support"));
    // Wide where there is a code to point a camera at.
    root.classList.toggle("call", Boolean(card.querySelector(".qr")));
    const title = card.querySelector("h1"), { name } = BRANDS[root.dataset.brand];
    document.title = (title && !quiet ? title.textContent : words.title) + (name ? ` · ${name}` : "");
    if (quiet) return;
    say(title.textContent);
    const target = focus || title;
    // A frame does not take the focus from its surroundings.
    if (!framed || document.hasFocus()) target.focus({ preventScroll: true });
  }

  // The reads go on, and each tries again: the end may still come through.
  function cannotDraw(error) {
    console.error(error);
    drawn = null;
    card.textContent = words.cannotDraw;
  }

  function say(text) {
    news.textContent = "";
    // Another turn, so that the same words twice are two changes.
    setTimeout(() => { news.textContent = text; }, 50);
  }

  const lead = (text, values) => element("p", { class: "lead", id: "lead" }, ...rich(text, { phone: phone(), ...values }));

  const countdown = (waiting) => element("div", { class: "countdown" },
    element("p", {}, waiting ? element("span", { class: "wait" }, waiting) : null,
      element("span", {}, ...rich(words.left, { time: element("time", { id: "left", role: "timer" }) }))),
    element("div", { class: "bar", "aria-hidden": "true" }, element("i", { id: "bar" })));

  // Under what the screen is for: what else can be done.
  function more(...content) {
    const shown = present(content);
    return shown.length ? element("div", { class: "more" }, ...shown) : null;
  }

  function drawCall(key, body) {
    const { number, tel_uri: uri } = body.challenge;
    const shown = pretty(number), path = window.qrPath && qrPath(uri);
    draw(key, [
      heading(words.callTitle),
      lead(words.callLead),
      element("div", { class: "ways" },
        element("div", { class: "way" },
          element("a", { class: "number", href: uri, id: "number" }, shown),
          element("a", { class: "button dial", href: uri, onclick: dialled }, icon("phone"), words.call),
          element("button", { class: "button second", id: "copy", type: "button", onclick: () => copy(number) },
            icon("copy"), element("span", {}, words.copy))),
        path && element("figure", { class: "qr" },
          vector(path, { viewBox: "-3 -3 31 31", role: "img", "aria-label": fill(words.qr, { number: shown }) }),
          element("figcaption", {}, words.qrCaption))),
      countdown(words.waiting),
      element("p", { class: "hint", id: "hint", hidden: true }, ...rich(words.callHint, { phone: phone() })),
      more(...switchButtons()),
    ]);
  }

  async function copy(number) {
    const label = document.querySelector("#copy span"), key = drawn;
    try {
      await navigator.clipboard.writeText(number);
    } catch {
      // A frame that may not: as the user would do it.
      getSelection().selectAllChildren(document.getElementById("number"));
      if (!document.execCommand("copy")) return;
    }
    if (drawn !== key) return;
    label.textContent = words.copied;
    say(words.copied);
    setTimeout(() => { label.textContent = words.copy; }, 3000);
  }

  function dialled() { setTimeout(hurry, 0); }

  function drawDigits(key, body) {
    const length = body.challenge.length, spoken = body.method === "voice_call";
    const boxes = Array.from({ length }, () => element("span", { "aria-hidden": "true" }));
    const input = element("input", {
      id: "digits", inputmode: "numeric", autocomplete: "one-time-code", pattern: "[0-9]*",
      "aria-label": count(spoken ? words.spokenDigits : words.digits, length), "aria-describedby": "lead note", enterkeyhint: "done", spellcheck: "false",
    });
    const field = element("div", { class: "digits" }, ...boxes, input);
    const note = element("p", { class: "note", id: "note" },
      body.checks_remaining <= FEW_TRIES ? count(words.tries, body.checks_remaining) : null);
    let busy = false, typed = 0, pause;

    // Of a whole number its last digits count, as the text above the boxes says.
    const code = () => input.value.slice(-length);

    function show() {
      boxes.forEach((box, at) => {
        box.textContent = code()[at] || "";
        box.classList.toggle("next", at === Math.min(input.value.length, length - 1));
      });
      input.setSelectionRange(input.value.length, input.value.length);
    }

    function complain(text) {
      field.classList.add("wrong");
      input.setAttribute("aria-invalid", "true");
      note.className = "note bad";
      note.textContent = text;
      say(text);
    }

    function clear() {
      unwait(note);
      field.classList.remove("wrong");
      input.removeAttribute("aria-invalid");
      note.className = "note";
      note.textContent = "";
    }

    async function submit() {
      clearTimeout(pause);
      if (busy || input.value.length < length) return;
      busy = true;
      field.classList.add("busy");
      note.className = "note";
      note.textContent = words.checking;
      const mine = flow, sent = input.value;
      const answer = await ask("POST", "/check", { code: code() });
      if (mine !== flow || drawn !== key) return;
      busy = false;
      field.classList.remove("busy");
      if (answer.status === 200) {
        take(answer.body);
        if (ended || drawn !== key) return;
        // What was typed meanwhile stays.
        if (input.value.startsWith(sent)) input.value = input.value.slice(sent.length);
        typed = input.value.length;
        complain(count(words.wrongTries, answer.body.checks_remaining) || words.wrong);
        type();
      } else if (answer.status === 429) {
        const locked = answer.body.limit === "phone_guesses";
        complain(locked ? words.locked : tooOften(answer));
        if (!locked) countDown(note, words.tooOften, answer, clear);
      } else {
        complain(words.notSent);
        hurry();
      }
      show();
      input.focus();
    }

    // Digits that come at once, pasted or filled in, are all there are; after the keys of a person more may come.
    function type() {
      clearTimeout(pause);
      if (!busy && input.value.length >= length) pause = setTimeout(submit, input.value.length - typed >= length ? 0 : TYPING_PAUSE);
      typed = input.value.length;
    }

    input.addEventListener("input", () => {
      input.value = digitsOf(input.value);
      if (field.classList.contains("wrong")) clear();
      show();
      type();
    });
    input.addEventListener("focus", show);
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") submit(); });
    show();

    draw(key, [
      heading(words.digitsTitle),
      spoken ? lead(words.voiceLead) : lead(words.digitsLead, { digits: count(words.lastDigits, length) }),
      element("div", { class: "entry" }, field, note),
      countdown(),
      more(element("button", { class: "link", id: "again", type: "button", onclick: callAgain, hidden: true }), ...switchButtons()),
    ], { focus: input });
  }

  const CHALLENGES = { call_number: drawCall, enter_digits: drawDigits };

  // Another call

  // The milliseconds until one may be asked for; null where there is none to ask for.
  function untilRepeat() {
    if (!repeatable || !resource.repeat_after || resource.repeats_remaining < 1) return null;
    return Math.max(0, repeatNotBefore - Date.now(), Date.parse(resource.repeat_after) - Date.now() - skew);
  }

  // As above, but a call that was missed and has no repeat is made again by a switch to its own method.
  function untilAgain() {
    const wait = untilRepeat();
    if (wait !== null || !switchMethods().includes(resource.method)) return wait;
    const calledAt = Math.max(repeatedAt, Date.parse(resource.attempts[resource.attempts.length - 1].at) - skew);
    return Date.now() - calledAt < HINT_AFTER ? null : 0;
  }

  async function callAgain() {
    const button = document.getElementById("again");
    if (untilAgain() !== 0) return;
    if (untilRepeat() === null) return drawSwitch(resource.method);
    button.disabled = true;
    const key = drawn, answer = await step("/repeat", {});
    if (drawn !== key) return;
    if (answer.status === 200) {
      say(words.calling);
      repeatedAt = Date.now();
      take(answer.body);
    } else if (answer.status === 429) {
      repeatNotBefore = Date.now() + (answer.wait || 5) * 1000;
    } else if (answer.status === 0) {
      say(words.notSent);
    } else {
      repeatable = false;
      hurry();
    }
    tick();
    const input = document.getElementById("digits");
    if (input) input.focus();
  }

  // The same key until there is an answer: a request that is sent again makes no second call.
  async function step(path, body) {
    const wanted = path + JSON.stringify(body);
    if (!pending || pending.wanted !== wanted) {
      const random = crypto.getRandomValues(new Uint8Array(16));
      pending = { wanted, key: Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("") };
    }
    const answer = await ask("POST", path, body, { "Idempotency-Key": pending.key });
    if (answer.status && answer.body.code !== "idempotency_in_progress") pending = null;
    return answer;
  }

  // Another method

  // Those that a switch could be to; the present one among them.
  function switchMethods() {
    if (!resource.switches_remaining || Date.now() + skew >= Date.parse(resource.switch_until)) return [];
    return resource.allowed_methods.filter((method) => Object.keys(words.switchTo).includes(method));
  }

  const otherMethods = () => switchMethods().filter((method) => method !== resource.method);

  function switchButtons() {
    return otherMethods().map((method, at) => element("button", {
      class: "link", id: at ? null : "switch", "data-method": method, type: "button", onclick: () => drawSwitch(method),
    }, resource.method === "voice_call" && method === "flash_call" ? words.callWithDigits : words.switchTo[method]));
  }

  function drawSwitch(method) {
    const key = drawn, { country, last } = ends(resource.phone), start = country && `${country} `;
    switching = { attempt: resource.attempts.length };
    const input = element("input", {
      class: "field", id: "phone", type: "tel", inputmode: "tel", autocomplete: "tel", "aria-describedby": "note", maxlength: 64,
    });
    const note = element("p", { class: "note bad", id: "note" });
    const button = element("button", { class: "button", type: "submit" }, words.go);
    input.value = start;

    function back() {
      switching = drawn = null;
      take(resource);
    }

    // What follows the country that stood there already may be a whole number: pasted, or typed as people do in Russia.
    function number() {
      const typed = input.value.trim(), rest = typed.startsWith(start) ? typed.slice(start.length).trim() : "";
      if (/[+＋]/.test(rest)) return rest;
      return start === "+7 " && /^8\d{10}$/.test(digitsOf(rest)) ? start + digitsOf(rest).slice(1) : typed;
    }

    async function submit(event) {
      if (event) event.preventDefault();
      if (button.disabled) return;
      if (digitsOf(input.value).length <= digitsOf(start).length) return complain(words.notAPhone);
      button.disabled = true;
      clear();
      const mine = flow, answer = await step("/switch", { phone: number(), method });
      if (mine !== flow || !switching) return;
      const code = answer.body.code;
      if (answer.status === 429 && countDown(button, words.goIn, answer, again)) return say(button.textContent);
      button.disabled = false;
      if (answer.status === 200) {
        switching = null;
        take(answer.body);
        hurry();
      } else if (answer.status === 429) {
        complain(tooOften(answer));
      } else if (code === "phone_mismatch") {
        complain(fill(words.mismatch, { last }));
      } else if (["invalid_phone", "country_not_allowed", "invalid_request"].includes(code)) {
        complain(words.notAPhone);
      } else {
        complain(answer.status === 0 || answer.status === 500 ? words.notSent : words.notSwitched);
        hurry();
      }
    }

    // The user has said what they want: it is done when it may be.
    function again() {
      button.textContent = words.go;
      button.disabled = false;
      submit();
    }

    function complain(text) {
      note.textContent = text;
      input.setAttribute("aria-invalid", "true");
      say(text);
      input.focus();
    }

    function clear() {
      unwait(note);
      note.textContent = "";
      input.removeAttribute("aria-invalid");
    }

    input.addEventListener("input", clear);
    draw(`switch ${key}`, [
      heading(method === resource.method ? words.again : words.switchTitle[method]),
      lead(words.switchLead),
      element("form", { onsubmit: submit, novalidate: true },
        element("div", {}, element("label", { for: "phone" }, words.yourPhone), input, note),
        button,
        element("button", { class: "button second", type: "button", onclick: back }, words.back)),
    ], { focus: input });
    input.setSelectionRange(start.length, start.length);
  }

  // Ends

  const LOOKS = { verified: ["check", "good"], expired: ["clock"], expired_digits: ["clock"], gone: ["clock"], empty: ["cross"], canceled: ["cross"] };

  function end(kind) {
    connection.hidden = true;
    const good = kind === "verified", url = kind === "empty" ? null : returnUrl(), leaves = good && url && !framed;
    const { title, text } = words.ends[kind] || words.ends.failed;
    draw(`end ${kind}`, [
      sign(...(LOOKS[kind] || ["cross", "bad"])),
      heading(title),
      element("p", { class: "lead" }, leaves ? words.returning : text),
      element("div", { class: "next" }, ...present([wayOn(good, url), good ? null : support("support", "button second support")])),
    ]);
    ended = true;
    clearTimeout(timer);
    stopListening();
    tell(resource && resource.status !== "pending" ? resource.status : "expired");
    if (leaves) setTimeout(() => location.replace(url), 3000);
  }

  // Where the user goes from an end: to the site around the frame, to where the start said, or back to where they were.
  function wayOn(good, url) {
    if (framed) return good ? null : element("button", { class: "button", type: "button", onclick: () => tell("restart") }, words.restart);
    if (url) return element("a", { class: "button", id: "return", href: url }, good ? words.go : words.restart);
    const note = element("p", { class: "note", hidden: true }, words.closeThere);
    const leave = () => {
      if (history.length > 1) history.back(); else window.close();
      // A browser closes only what it opened for a site.
      setTimeout(() => { note.hidden = false; say(words.closeThere); }, 500);
    };
    return element("div", {}, element("button", { class: "button", id: "leave", type: "button", onclick: leave }, good ? words.goBack : words.startOver), note);
  }

  // Waiting, after an answer that says how long

  const tooOften = ({ wait }) => (wait * 1000 > HOUR ? words.tooOftenLater : fill(words.tooOften, { time: clock(wait * 1000 || 5000) }));

  function unwait(node) { waits = waits.filter((each) => each.node !== node); }

  // Counts down in this node, if it is short enough to be waited for.
  function countDown(node, text, { wait }, done) {
    const lasts = wait * 1000 || 5000;
    if (lasts > LONGEST_COUNTDOWN) return false;
    waits.push({ node, text, done, until: Date.now() + lasts });
    tick();
    return true;
  }

  // Every second

  function tick() {
    if (!resource || ended) return;
    for (const each of [...waits]) {
      if (each.until > Date.now()) { each.node.textContent = fill(each.text, { time: clock(each.until - Date.now()) }); continue; }
      unwait(each.node);
      each.done();
    }
    const left = Date.parse(resource.expires_at) - Date.now() - skew;
    if (left <= 0 && !readAtEnd) { readAtEnd = true; hurry(); }
    if (!document.getElementById("left")) return;
    const whole = Date.parse(resource.expires_at) - Date.parse(resource.attempts[resource.attempts.length - 1].at);
    document.getElementById("left").textContent = clock(left);
    document.getElementById("bar").style.transform = `scaleX(${Math.max(0, Math.min(1, left / whole))})`;
    if (left <= 30000 && left > 0 && !saidSoon) { saidSoon = true; say(words.soon); }
    const hint = document.getElementById("hint");
    if (hint && hint.hidden && Date.now() - shownAt >= HINT_AFTER) { hint.hidden = false; say(hint.textContent); }
    const open = otherMethods();
    for (const button of document.querySelectorAll("[data-method]")) button.hidden = !open.includes(button.dataset.method);
    const again = document.getElementById("again");
    if (again) {
      const wait = untilAgain();
      again.hidden = wait === null;
      again.disabled = wait !== 0;
      again.textContent = wait ? fill(words.againIn, { time: clock(wait) }) : words.again;
    }
  }

  // The surrounding page of another site, if its origin is one of AllowedOrigins

  function tell(type) {
    if (parentOrigin && link) window.parent.postMessage({ callverify: type, id: link.id }, parentOrigin);
  }

  if (framed) {
    root.classList.add("framed");
    window.addEventListener("message", (event) => {
      if (event.source !== window.parent || !origins("allowedOrigins").includes(event.origin)) return;
      if (!event.data || event.data.callverify !== "hello") return;
      parentOrigin = event.origin;
      tellHeight();
      if (resource) tell(resource.status);
    });
    const tellHeight = () => {
      if (parentOrigin) window.parent.postMessage({ callverify: "height", height: root.scrollHeight }, parentOrigin);
    };
    new ResizeObserver(tellHeight).observe(sheet);
  }

  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { hurry(); tick(); } });
  for (const name of ["online", "pageshow", "focus"]) window.addEventListener(name, hurry);
  window.addEventListener("online", () => { listenNotBefore = 0; });
  window.addEventListener("offline", () => setOffline(true));
  window.addEventListener("hashchange", begin);
  begin();
})();
