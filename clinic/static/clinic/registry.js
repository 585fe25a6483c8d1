/* What makes the pages better where JavaScript is on; nothing here is needed to work.

   Loaded in the head and before the page is drawn, so that a chosen appearance does not flash. */

"use strict";

/* What scripts say: gettext("…"), ngettext("…", "…", n) and interpolate("%(n)s …", {n}, true). Pages in another language load
   Django's catalogue before this script; pages in English say what stands here. */
window.gettext ??= (message) => message;
window.ngettext ??= (singular, plural, n) => (n === 1 ? singular : plural);
window.pgettext ??= (context, message) => message;
window.interpolate ??= (format, values, named) =>
  named ? format.replace(/%\(\w+\)s/g, (place) => String(values[place.slice(2, -2)])) : format.replace(/%s/g, () => String(values.shift()));

(() => {
  const KEY = "registry-appearance";
  const root = document.documentElement;

  function chosen() {
    try {
      return window.localStorage.getItem(KEY) ?? "auto";
    } catch {
      return "auto"; // storage may be forbidden; the system's choice stands
    }
  }

  function apply(choice) {
    const dark = choice === "dark" || (choice === "auto" && window.matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.bsTheme = dark ? "dark" : "light";
    for (const button of document.querySelectorAll("[data-theme-switch] [data-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.theme === choice));
    }
  }

  apply(chosen());
  root.classList.add("has-script"); // before the page is drawn, so that what only works with it moves nothing when it comes
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(chosen()));

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-switch] [data-theme]");
    if (button) {
      try {
        window.localStorage.setItem(KEY, button.dataset.theme);
      } catch {
        /* it then holds for this page */
      }
      apply(button.dataset.theme);
    }
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details[data-menu][open]")) {
        menu.open = false;
        menu.querySelector("summary")?.focus();
      }
    }
  });

  /* A second press of a button would send the same entry again. The button is put out a moment later: one that is
     disabled at once would not be sent with its form. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches?.("form[data-once]")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    setTimeout(() => {
      for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = true;
    }, 0);
  });
  /* Ctrl Enter sends the form from any of its fields: also from a text of several lines, and from the grid of laboratory
     values, where Enter alone goes on to the next line or cell. */
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.repeat) return;
    const form = event.target.closest?.("input, select, textarea")?.form; // a button that has the focus is pressed itself
    if (event.defaultPrevented || !form?.matches("form[data-once]")) return;
    event.preventDefault();
    form.requestSubmit(form.querySelector("button[type=submit]"));
  });
  // Back from the next page: the form may be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = false;
    }
  });

  /* Common reasons of a correction, one key away. */
  function offerReasons(field) {
    const group = document.createElement("p");
    group.className = "reasons";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", gettext("Common reasons"));
    for (const words of field.dataset.reasons.split(" · ")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "btn btn-sm btn-outline-secondary";
      button.textContent = words;
      button.addEventListener("click", () => {
        field.value = words;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        field.focus();
      });
      group.append(button);
    }
    field.after(group);
  }

  /* Who it is stays in sight when the banner has been scrolled away. */
  function keepInSight(strip, banner) {
    new IntersectionObserver(([seen]) => {
      strip.hidden = seen.isIntersecting;
      root.classList.toggle("has-strip", !seen.isIntersecting);
    }).observe(banner);
  }

  document.addEventListener("DOMContentLoaded", () => {
    const strip = document.querySelector("[data-strip]");
    const banner = document.querySelector("[data-banner]");
    if (strip && banner) keepInSight(strip, banner);
    for (const field of document.querySelectorAll("[data-reasons]")) offerReasons(field);
    // A drawing that is wider than its place shows its newest days.
    for (const box of document.querySelectorAll(".tl .table-scroll")) box.scrollLeft = box.scrollWidth;
    for (const part of document.querySelectorAll("[data-theme-switch]")) part.hidden = false;
    apply(chosen());
    document.querySelector("[data-focus-first]")?.focus();
  });
})();
