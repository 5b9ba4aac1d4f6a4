// The page for the person being verified. It draws what the API says, by the type of the challenge; listens, and asks again.
"use strict";
(() => {
  const WORDS = {
    en: {
      title: "Confirm your number",
      loading: "One moment…",
      callTitle: "Call this number",
      callLead: ["Call from your phone ", ". The call is free: it drops at once, or sounds busy."],
      call: "Call",
      qr: "QR code that dials {number}",
      qrCaption: "Point your phone’s camera here to dial",
      showCode: "Show a QR code",
      waiting: "Waiting for your call",
      callHint: "Called already? Check that you called exactly this number, from {phone}, and that your number is not hidden. " +
        "A call to another number, or from another phone, does not count.",
      digitsTitle: "We are calling you",
      digitsLead: ["Your phone ", " will ring in a moment. Don’t answer: type in ", " of the calling number."],
      lastDigits: { one: "the last digit", other: "the last {n} digits" },
      digits: { one: "Last digit of the calling number", other: "Last {n} digits of the calling number" },
      voiceLead: ["Your phone ", " will ring in a moment. Answer it, and press any key if the voice asks you to. " +
        "Then type in the code that you hear."],
      spokenDigits: { one: "The {n} digit that you hear", other: "The {n} digits that you hear" },
      checking: "Checking…",
      wrong: "These digits are wrong.",
      tries: { one: "{n} try left", other: "{n} tries left" },
      again: "Call me again",
      againIn: "Another call in {time}",
      calling: "We are calling once more.",
      locked: "Too many wrong digits for this number. Please try later, or choose the other way.",
      tooOften: "That was too often. Please wait {time}.",
      notSent: "That did not get through. Please try again.",
      switchTo: { flash_call: "Call me instead", reverse_call: "I’ll call you instead", voice_call: "Tell me a code by phone" },
      callWithDigits: "Call me, the code is the number’s last digits",
      switchTitle: { flash_call: "We call you", reverse_call: "You call us", voice_call: "We call and tell you a code" },
      switchLead: "Type in your number once more: we do not keep it.",
      yourPhone: "Your phone number",
      mismatch: "This is not the number that is being confirmed.",
      notAPhone: "This is not a mobile number.",
      notSwitched: "That is not possible now. Please go back and go on as before.",
      go: "Continue",
      back: "Back",
      left: "Time left",
      soon: "Half a minute left.",
      ends: {
        verified: ["Number confirmed", "Thank you. You can go on."],
        checks_exhausted: ["No tries left", "The digits were wrong too often."],
        failed: ["The call did not work", "We could not reach this number by a call."],
        expired: ["Time is up", "No call came through in time."],
        expired_digits: ["Time is up", "The digits did not come in time."],
        canceled: ["Canceled", "The confirmation of this number was canceled."],
        gone: ["This link has ended", "It works for a short time only."],
        empty: ["This link is not complete", "Go back to the app or site that sent you here and open the link again: " +
          "its address can’t be copied into another browser."],
      },
      restart: "Start again",
      restartThere: "Go back to the app or site that sent you here, and start again.",
      closeThere: "You can close this page and go back.",
      cannotDraw: "This page does not work in this browser. Please open the link again in another one.",
      offline: "No connection. We go on as soon as it is back.",
      online: "Connected again.",
    },
    ru: {
      title: "Подтверждение номера",
      loading: "Секунду…",
      callTitle: "Позвоните на этот номер",
      callLead: ["Звоните с телефона ", ". Это бесплатно: звонок сразу сбросится, или будет занято."],
      call: "Позвонить",
      qr: "QR-код: звонок на {number}",
      qrCaption: "Наведите камеру телефона, чтобы набрать номер",
      showCode: "Показать QR-код",
      waiting: "Ждём ваш звонок",
      callHint: "Уже позвонили? Проверьте, что набран именно этот номер, с телефона {phone}, и что ваш номер не скрыт. " +
        "Звонок на другой номер или с другого телефона не считается.",
      digitsTitle: "Мы вам звоним",
      digitsLead: ["На телефон ", " сейчас поступит звонок. Отвечать не нужно: введите ", " звонящего номера."],
      lastDigits: { one: "последнюю {n} цифру", few: "последние {n} цифры", many: "последние {n} цифр" },
      digits: {
        one: "Последняя {n} цифра звонящего номера", few: "Последние {n} цифры звонящего номера",
        many: "Последние {n} цифр звонящего номера",
      },
      voiceLead: ["На телефон ", " сейчас поступит звонок. Ответьте и, если голос попросит, нажмите любую клавишу. " +
        "Затем введите код, который услышите."],
      spokenDigits: {
        one: "{n} цифра из звонка", few: "{n} цифры из звонка", many: "{n} цифр из звонка",
      },
      checking: "Проверяем…",
      wrong: "Цифры не подходят.",
      tries: { one: "Осталась {n} попытка", few: "Осталось {n} попытки", many: "Осталось {n} попыток" },
      again: "Позвонить ещё раз",
      againIn: "Повторить через {time}",
      calling: "Звоним ещё раз.",
      locked: "Слишком много неверных цифр для этого номера. Попробуйте позже или другим способом.",
      tooOften: "Слишком часто. Подождите {time}.",
      notSent: "Не дошло. Попробуйте ещё раз.",
      switchTo: {
        flash_call: "Лучше позвоните мне", reverse_call: "Лучше я вам позвоню", voice_call: "Продиктуйте код по телефону",
      },
      callWithDigits: "Позвоните мне, код — последние цифры номера",
      switchTitle: {
        flash_call: "Мы позвоним вам", reverse_call: "Вы позвоните нам", voice_call: "Мы позвоним и продиктуем код",
      },
      switchLead: "Введите свой номер ещё раз: мы его не храним.",
      yourPhone: "Ваш номер телефона",
      mismatch: "Подтверждается другой номер.",
      notAPhone: "Это не номер мобильного телефона.",
      notSwitched: "Сейчас так не получится. Вернитесь назад и продолжайте как раньше.",
      go: "Продолжить",
      back: "Назад",
      left: "Время:",
      soon: "Осталось полминуты.",
      ends: {
        verified: ["Номер подтверждён", "Спасибо. Можно продолжать."],
        checks_exhausted: ["Попытки закончились", "Цифры не подошли слишком много раз."],
        failed: ["Звонок не получился", "Не удалось проверить этот номер звонком."],
        expired: ["Время вышло", "Звонок за это время не поступил."],
        expired_digits: ["Время вышло", "Цифры не были введены вовремя."],
        canceled: ["Подтверждение отменено", "Этот номер больше не проверяется."],
        gone: ["Ссылка больше не действует", "Она работает недолго."],
        empty: ["Ссылка неполная", "Вернитесь в приложение или на сайт, с которого пришли, и откройте ссылку ещё раз: " +
          "скопированный адрес в другом браузере не работает."],
      },
      restart: "Начать заново",
      restartThere: "Вернитесь в приложение или на сайт, с которого пришли, и начните заново.",
      closeThere: "Эту страницу можно закрыть и вернуться назад.",
      cannotDraw: "Страница не работает в этом браузере. Откройте ссылку ещё раз в другом.",
      offline: "Нет связи. Продолжим, как только она появится.",
      online: "Связь восстановлена.",
    },
  };
  const ICONS = {
    phone: "M6.6 3h-2A1.6 1.6 0 0 0 3 4.7C3.4 13.4 10.6 20.6 19.3 21A1.6 1.6 0 0 0 21 19.4v-2.7l-4.7-1.7-2 2.3a13 13 0 0 1-6.6-6.6l2.3-2L8.3 4z",
    check: "M5 12.5l4.5 4.5L19 7.5",
    cross: "M7 7l10 10M17 7L7 17",
    clock: "M12 7v5l3.5 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  };
  const FIRST_WAIT = 1000, LONGEST_WAIT = 5000, LONGEST_PAUSE = 30000, ANSWER_WITHIN = 10000;
  // Between reads while it listens: a message can get lost. Between two tries to listen, at first.
  const LISTENING_WAIT = 15000, DEAF_WAIT = 2000;
  // Between the keys of somebody who types a whole number.
  const TYPING_PAUSE = 800;
  // When a call that has not come can be taken for missed.
  const HINT_AFTER = 25000;
  const STORE = "callverify";

  const root = document.documentElement;
  const card = document.getElementById("card"), news = document.getElementById("news");
  const connection = document.getElementById("connection");
  const api = location.pathname.replace(/\/page\/?$/, "");
  const origins = (name) => (root.dataset[name] || "").split(" ").filter(Boolean);
  const framed = window.parent !== window;

  let link, words, locale, skew;  // what the link says; skew: the server's clock minus ours, in ms
  let resource, drawn, ended, switching, parentOrigin;
  let timer, waitFor, asking, refused, unwell, readAtEnd;  // refused, unwell: how many reads in a row
  let socket, listening, deafFor, listenNotBefore;
  let offline, shownAt, repeatNotBefore, repeatedAt, repeatable, pending, saidSoon, flow = 0;  // pending: a step without an answer

  // The link

  function readLink() {
    // As it comes out of HTML, JSON or a messenger that quoted it once more.
    const told = new URLSearchParams(location.hash.slice(1)
      .replace(/(&|%26)((amp|#38|#x26)(;|%3B))*|\\u0026/gi, "&").replace(/%3D/gi, "="));
    if (told.get("id") && told.get("token")) {
      const found = {};
      for (const name of ["id", "token", "locale", "channel", "updates"]) {
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
    ended = asking = offline = saidSoon = readAtEnd = false;
    repeatable = true;
    skew = repeatNotBefore = repeatedAt = refused = unwell = listenNotBefore = 0;
    waitFor = FIRST_WAIT;
    deafFor = DEAF_WAIT;
    connection.hidden = true;
    if (link) {
      poll();  // first: nothing that goes wrong below stops it
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

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...present(children));
    return made;
  }

  // What may be missing from a screen is null there; the DOM would write the word.
  const present = (children) => children.filter((child) => child != null);

  function vector(d, attributes) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
    path.setAttribute("d", d);
    svg.append(path);
    return svg;
  }

  const icon = (name) => vector(ICONS[name], { viewBox: "0 0 24 24", "aria-hidden": "true" });

  const sign = (name, kind) => element("div", { class: `sign ${kind || ""}` }, icon(name));
  const heading = (text) => element("h1", { tabindex: "-1" }, text);
  const fill = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);
  const count = (forms, n) => (n == null ? "" : fill(forms[new Intl.PluralRules(locale).select(n)] || forms.other, { n }));
  const clock = (ms) => {
    const seconds = Math.max(0, Math.ceil(ms / 1000)) || 0;
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  };

  function pretty(number) {
    const parts = /^\+7(\d{3})(\d{3})(\d\d)(\d\d)$/.exec(number);
    return parts ? `+7\u00a0${parts[1]}\u00a0${parts[2]}-${parts[3]}-${parts[4]}` : number;
  }

  // The digits in what somebody typed, in any script's, as 0 to 9. Each script has its ten in a row.
  function digitsOf(text) {
    const isDigit = (code) => /\p{Nd}/u.test(String.fromCodePoint(code));
    return Array.from(text, (char) => {
      const code = char.codePointAt(0);
      let below = 0;
      while (isDigit(code - below)) below++;
      return below ? (below - 1) % 10 : "";
    }).join("");
  }

  function mask() {
    const [, country, last] = /^(\+\d*)\*+(\d+)$/.exec(resource.phone) || [null, "", resource.phone];
    return `${country}\u00a0•••\u00a0•••-${last.slice(0, 2)}-${last.slice(2)}`;
  }

  function draw(key, content, { quiet, focus } = {}) {
    card.replaceChildren(...present(content));
    drawn = key;
    const title = card.querySelector("h1");
    document.title = title && !quiet ? title.textContent : words.title;
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

  const lead = (before, ...after) =>
    element("p", { class: "lead", id: "lead" }, before, element("span", { class: "phone" }, mask()), ...after);

  const countdown = (...before) => element("div", { class: "countdown" },
    element("p", {}, ...before, element("span", {}, `${words.left} `, element("time", { id: "left", role: "timer" }))),
    element("div", { class: "bar", "aria-hidden": "true" }, element("i", { id: "bar" })));

  function drawCall(key, body) {
    const { number, tel_uri: uri } = body.challenge;
    const shown = pretty(number);
    const path = window.qrPath && qrPath(uri);
    const code = () => path && element("figure", { class: "qr" },
      vector(path, { viewBox: "-4 -4 33 33", role: "img", "aria-label": fill(words.qr, { number: shown }) }),
      element("figcaption", {}, words.qrCaption));
    draw(key, [
      heading(words.callTitle),
      lead(...words.callLead),
      element("a", { class: "number", href: uri, id: "number" }, shown),
      element("a", { class: "button dial", href: uri, onclick: dialled }, icon("phone"), words.call),
      path && element("div", { class: "here" }, code()),
      countdown(element("span", { class: "wait" }, words.waiting)),
      element("p", { class: "hint", id: "hint", hidden: true }, fill(words.callHint, { phone: mask() })),
      path && element("details", { class: "elsewhere" }, element("summary", {}, words.showCode), code()),
      ...switchButtons(),
    ]);
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
    const note = element("p", { class: "note", id: "note" }, count(words.tries, body.checks_remaining));
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
        const left = count(words.tries, answer.body.checks_remaining);
        complain(left ? `${words.wrong} ${left}.` : words.wrong);
        type();
      } else if (answer.status === 429) {
        const locked = answer.body.limit === "phone_guesses";
        complain(locked ? words.locked : fill(words.tooOften, { time: clock(answer.wait * 1000 || 1000) }));
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
      field.classList.remove("wrong");
      input.removeAttribute("aria-invalid");
      show();
      type();
    });
    input.addEventListener("focus", show);
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") submit(); });
    show();

    const [before, middle, after] = words.digitsLead;
    draw(key, [
      heading(words.digitsTitle),
      spoken ? lead(...words.voiceLead) : lead(before, middle, count(words.lastDigits, length), after),
      field,
      note,
      countdown(),
      element("div", { class: "more" },
        element("button", { class: "button second", id: "again", type: "button", onclick: callAgain, hidden: true }),
        ...switchButtons()),
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
    const key = drawn;
    switching = { attempt: resource.attempts.length };
    const input = element("input", {
      class: "field", id: "phone", type: "tel", inputmode: "tel", autocomplete: "tel", "aria-describedby": "note", maxlength: 64,
    });
    const note = element("p", { class: "note bad", id: "note" });
    const button = element("button", { class: "button", type: "submit" }, words.go);

    function back() {
      switching = drawn = null;
      take(resource);
    }

    async function submit(event) {
      event.preventDefault();
      if (button.disabled) return;
      if (!digitsOf(input.value)) return complain(words.notAPhone);
      button.disabled = true;
      note.textContent = "";
      const mine = flow, answer = await step("/switch", { phone: input.value.trim(), method });
      if (mine !== flow || !switching) return;
      button.disabled = false;
      const code = answer.body.code;
      if (answer.status === 200) {
        switching = null;
        take(answer.body);
        hurry();
      } else if (answer.status === 429) {
        complain(fill(words.tooOften, { time: clock((answer.wait || 1) * 1000) }));
      } else if (code === "phone_mismatch") {
        complain(words.mismatch);
      } else if (["invalid_phone", "country_not_allowed", "invalid_request"].includes(code)) {
        complain(words.notAPhone);
      } else {
        complain(answer.status === 0 || answer.status === 500 ? words.notSent : words.notSwitched);
        hurry();
      }
    }

    function complain(text) {
      note.textContent = text;
      input.setAttribute("aria-invalid", "true");
      say(text);
      input.focus();
    }

    draw(`switch ${key}`, [
      heading(method === resource.method ? words.again : words.switchTitle[method]),
      element("p", { class: "lead" }, words.switchLead),
      element("form", { onsubmit: submit, novalidate: true },
        element("div", {}, element("label", { for: "phone" }, words.yourPhone), input, note),
        button),
      element("div", { class: "more" }, element("button", { class: "link", type: "button", onclick: back }, words.back)),
    ], { focus: input });
  }

  // Ends

  function end(kind) {
    connection.hidden = true;
    const good = kind === "verified";
    const [title, text] = words.ends[kind] || words.ends.failed;
    const url = kind === "empty" ? null : returnUrl();
    const looks = { verified: ["check", "good"], expired: ["clock"], expired_digits: ["clock"], gone: ["clock"], empty: ["cross"], canceled: ["cross"] };
    const content = [sign(...(looks[kind] || ["cross", "bad"])), heading(title)];
    content.push(element("p", { class: "lead" }, text, good ? null : " ", good || framed || url || kind === "empty" ? null : words.restartThere));
    if (framed) {
      if (!good) content.push(element("button", { class: "button", type: "button", onclick: () => tell("restart") }, words.restart));
    } else if (url) {
      content.push(element("a", { class: "button", id: "return", href: url }, good ? words.go : words.restart));
    } else if (good) {
      content.push(element("p", { class: "note" }, words.closeThere));
    }
    draw(`end ${kind}`, content);
    ended = true;
    clearTimeout(timer);
    stopListening();
    tell(resource && resource.status !== "pending" ? resource.status : "expired");
    if (good && url && !framed) setTimeout(() => location.replace(url), 3000);
  }

  // Every second

  function tick() {
    if (!resource || ended) return;
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
    new ResizeObserver(tellHeight).observe(card);
  }

  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { hurry(); tick(); } });
  for (const name of ["online", "pageshow", "focus"]) window.addEventListener(name, hurry);
  window.addEventListener("online", () => { listenNotBefore = 0; });
  window.addEventListener("offline", () => setOffline(true));
  window.addEventListener("hashchange", begin);
  begin();
})();
