(() => {
  "use strict";
  const root = document.documentElement;
  const languages = { curl: "curl", python: "Python", javascript: "JavaScript" };
  const kept = "callverify-docs-language";
  const LONGEST = 12;

  // Before anything is added to the page.
  const places = [...document.querySelectorAll("[data-title]")].map((place) => ({
    id: place.id,
    title: place.dataset.title,
    kind: place.dataset.kind,
    text: `${place.dataset.title} ${place.textContent}`.toLowerCase(),
  }));

  // A browser that keeps nothing shows curl again on the next visit.
  function remembered() {
    try {
      return localStorage.getItem(kept);
    } catch {
      return null;
    }
  }

  function show(language) {
    root.dataset.language = language;
    for (const button of document.querySelectorAll(".languages button")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    }
    try {
      localStorage.setItem(kept, language);
    } catch {
      // Nothing is kept.
    }
  }

  function button(text, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", act);
    return made;
  }

  for (const example of document.querySelectorAll(".example")) {
    const shown = [...example.querySelectorAll("[data-language]")].map((each) => each.dataset.language);
    const bar = document.createElement("div");
    bar.className = "languages";
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Language");
    for (const language of shown) {
      const choice = button(languages[language], () => {
        // What was above the example stays where it is.
        const before = bar.getBoundingClientRect().top;
        show(language);
        scrollBy(0, bar.getBoundingClientRect().top - before);
      });
      choice.dataset.language = language;
      bar.append(choice);
    }
    if (shown.length > 1) example.prepend(bar);
  }
  show(languages[remembered()] ? remembered() : "curl");

  for (const panel of document.querySelectorAll("pre")) {
    const frame = document.createElement("div");
    frame.className = "panel";
    panel.replaceWith(frame);
    const copy = button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(panel.textContent);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(panel);
        copy.textContent = "Selected";
      }
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    });
    copy.className = "copy";
    frame.append(panel, copy);
  }

  // Search: every word has to occur; a place that has them in its title comes first.
  const form = document.querySelector(".search");
  const field = form.querySelector("input");
  const results = form.querySelector("ul");
  const said = form.querySelector("[role=status]");
  function search() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (text) => words.every((word) => text.includes(word));
    const found = words.length ? places.filter((place) => has(place.text)) : [];
    found.sort((one, other) => has(other.title.toLowerCase()) - has(one.title.toLowerCase()));
    results.replaceChildren(
      ...found.slice(0, LONGEST).map((place) => {
        const link = document.createElement("a");
        link.href = `#${place.id}`;
        link.textContent = place.title;
        const kind = document.createElement("span");
        kind.textContent = place.kind;
        const item = document.createElement("li");
        item.append(link, " ", kind);
        return item;
      }),
    );
    const more = found.length > LONGEST ? `, the first ${LONGEST} below` : "";
    said.textContent = words.length ? `${found.length} found${more}` : "";
  }

  form.hidden = false;
  field.addEventListener("input", search);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    results.querySelector("a")?.click();
  });
  results.addEventListener("click", () => {
    field.value = "";
    search();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape" && form.contains(document.activeElement)) {
      field.value = "";
      search();
    }
  });
})();
