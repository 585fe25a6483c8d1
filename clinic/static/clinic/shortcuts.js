/* Keys: two letters go to a page, j and k along the rows of a list, Ctrl K opens the palette. Nothing here is needed to work.

   Letters do nothing while somebody types, in a dialog, or where they were switched off on the page of shortcuts. The palette's
   list comes with every page, so that opening it asks the server nothing; what is typed also finds the page's own links. */

"use strict";

(() => {
  const KEY = "registry-shortcuts";
  const WAIT_MS = 1500; // from the first key of two to the second

  const palette = document.getElementById("palette");
  const help = document.getElementById("shortcuts");
  if (!palette?.showModal) return; // an old browser: every page is reached by its links
  const search = document.getElementById("palette-search");
  const none = document.getElementById("palette-none");
  const list = document.getElementById("palette-list");
  const offers = [...list.querySelectorAll("[role=option]")];
  let options = offers;
  let first = "";
  let forget = 0;

  const areOn = () => {
    try {
      return window.localStorage.getItem(KEY) !== "off";
    } catch {
      return true; // storage may be forbidden
    }
  };

  /* The palette: a combobox whose list is always open. */

  /** The links of the page itself: one of many is reached by its words sooner than by Tab. Found anew, as parts of a page change. */
  function linksOfPage() {
    for (const option of list.querySelectorAll("[data-of-page]")) option.remove();
    const seen = new Set();
    return [...document.querySelectorAll("main a[href]")].flatMap((link) => {
      const words = link.textContent.replace(/\s+/g, " ").trim();
      if (!words || link.target || link.hasAttribute("download") || link.offsetParent === null || seen.has(words + link.href)) return [];
      seen.add(words + link.href);
      const option = document.createElement("li");
      option.id = `palette-of-page-${seen.size}`;
      option.setAttribute("role", "option");
      Object.assign(option.dataset, { href: link.href, words: "", ofPage: "" });
      option.textContent = words;
      list.append(option);
      return [option];
    });
  }

  const shown = () => options.filter((option) => !option.hidden);

  function choose(option) {
    for (const other of options) other.setAttribute("aria-selected", String(other === option));
    if (option) {
      search.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      search.removeAttribute("aria-activedescendant");
    }
  }

  function filter() {
    // Each of what is typed begins a word: "sign" is not to find "design", nor "cor" all that is recorded.
    const words = search.value.split(/\s+/).filter(Boolean)
      .map((word) => new RegExp(`(?:^|[^\\p{L}\\p{N}])${word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}`, "iu"));
    for (const option of options) {
      const text = `${option.textContent} ${option.dataset.words}`;
      // A page has many links: they are shown once somebody has begun to say which.
      option.hidden = "ofPage" in option.dataset && !words.length || !words.every((word) => word.test(text));
    }
    const found = shown();
    none.textContent = found.length ? "" : gettext("Nothing is found by these words.");
    choose(found[0]);
  }

  function openPalette() {
    if (help.open) help.close();
    search.value = "";
    options = [...offers, ...linksOfPage()];
    filter();
    if (!palette.open) palette.showModal();
    search.focus();
  }

  const go = (option) => {
    if (!option) return;
    if (palette.open) palette.close(); // a link may lead to another part of the same page
    window.location.assign(option.dataset.href);
  };

  search.addEventListener("input", filter);
  search.addEventListener("keydown", (event) => {
    const found = shown();
    const at = found.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: found.length - 1 };
    if (event.key in steps && found.length) {
      if ((event.key === "Home" || event.key === "End") && search.value) return; // moves within the words
      event.preventDefault();
      choose(found[(steps[event.key] + found.length) % found.length]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      go(found[at]);
    }
  });
  palette.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) go(option);
    else if (event.target === palette) palette.close(); // beside the dialog
  });
  help.addEventListener("click", (event) => {
    if (event.target === help || event.target.closest("[data-close-dialog]")) help.close();
  });

  /* Rows: j and k move along the first link of each, so that Enter is the browser's own. */

  function moveRow(step) {
    const links = [...document.querySelectorAll("main table.data tbody tr, main .worklist > li, main .cohorts > li")]
      .map((row) => row.querySelector("a[href]"))
      .filter((link) => link && link.offsetParent !== null);
    if (!links.length) return false;
    const row = document.activeElement?.closest("tr, li");
    const at = links.findIndex((link) => row?.contains(link));
    const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1);
    links[next].focus();
    return true;
  }

  function searchPatients() {
    const field = document.querySelector("[data-search]");
    if (field) {
      field.focus();
      field.select();
      return true;
    }
    const list = options.find((option) => option.dataset.keys === "g p");
    if (list) window.location.assign(`${list.dataset.href}#search`);
    return Boolean(list);
  }

  function press(key) {
    if (first) {
      const both = `${first} ${key}`;
      first = "";
      const place = options.find((option) => option.dataset.keys === both);
      go(place);
      return Boolean(place);
    }
    if (key === "/") return searchPatients();
    if (key === "?") {
      help.showModal();
      return true;
    }
    if (key === "j" || key === "k") return moveRow(key === "j" ? 1 : -1);
    if (options.some((option) => option.dataset.keys?.startsWith(`${key} `))) {
      first = key;
      window.clearTimeout(forget);
      forget = window.setTimeout(() => (first = ""), WAIT_MS);
      return true;
    }
    const place = options.find((option) => option.dataset.keys === key);
    go(place);
    return Boolean(place);
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return;
    const typing = event.target.closest?.("input, textarea, select, [contenteditable], [role=grid], dialog");
    if (typing || document.querySelector("dialog[open]") || !areOn()) return;
    if (press(event.key)) event.preventDefault();
  });

  // Came here by "/" from another page.
  if (window.location.hash === "#search") document.querySelector("[data-search]")?.focus();

  /* The switch, on the page of shortcuts. */

  for (const part of document.querySelectorAll("[data-shortcuts-switch]")) {
    const box = part.querySelector("input");
    part.hidden = false;
    box.checked = areOn();
    box.addEventListener("change", () => {
      try {
        window.localStorage.setItem(KEY, box.checked ? "on" : "off");
      } catch {
        box.checked = true; // it cannot be kept
      }
    });
  }
})();
