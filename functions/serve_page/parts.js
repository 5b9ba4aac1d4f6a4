// What a screen is put together from: elements, texts with values in them, and numbers as people read them.
"use strict";
const parts = (() => { // eslint-disable-line no-unused-vars
  const ICONS = {
    phone: "M6.6 3h-2A1.6 1.6 0 0 0 3 4.7C3.4 13.4 10.6 20.6 19.3 21A1.6 1.6 0 0 0 21 19.4v-2.7l-4.7-1.7-2 2.3a13 13 0 0 1-6.6-6.6l2.3-2L8.3 4z",
    copy: "M9 9h10v11H9zM5 15V4h10",
    check: "M5 12.5l4.5 4.5L19 7.5",
    cross: "M7 7l10 10M17 7L7 17",
    clock: "M12 7v5l3.5 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  };

  // What may be missing from a screen is null there; the DOM would write the word.
  const present = (children) => children.filter((child) => child != null);

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...present(children));
    return made;
  }

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

  // A text with values in it: fill makes a text, rich a list that may hold elements.
  const rich = (text, values) => text.split(/({\w+})/).map((part) => (/^{\w+}$/.test(part) ? values[part.slice(1, -1)] : part));
  const fill = (text, values) => rich(text, values).join("");
  const count = (forms, n, locale) =>
    (n == null ? "" : fill(forms[new Intl.PluralRules(locale).select(n)] || forms.other, { n }));

  function clock(ms) {
    const seconds = Math.max(0, Math.ceil(ms / 1000)) || 0;
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  function pretty(number) {
    const found = /^\+7(\d{3})(\d{3})(\d\d)(\d\d)$/.exec(number);
    return found ? `+7\u00a0${found[1]}\u00a0${found[2]}-${found[3]}-${found[4]}` : number;
  }

  // A masked number, +7******4321, as its country and its end.
  function ends(masked) {
    const [, country, last] = /^(\+\d*)\*+(\d+)$/.exec(masked) || [null, "", masked];
    return { country, last: `${last.slice(0, 2)}-${last.slice(2)}` };
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

  return { present, element, vector, icon, sign, heading, rich, fill, count, clock, pretty, ends, digitsOf };
})();
