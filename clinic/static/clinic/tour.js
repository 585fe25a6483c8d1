/* Which steps of the tour were taken, remembered by this browser alone. */

"use strict";

(() => {
  const KEY = "registry-tour";
  const steps = [...document.querySelectorAll("[data-step]")];
  const progress = document.querySelector("[data-tour-progress]");

  const taken = () => {
    try {
      return new Set(JSON.parse(window.localStorage.getItem(KEY) ?? "[]"));
    } catch {
      return new Set();
    }
  };

  function show() {
    const done = taken();
    for (const step of steps) step.querySelector("input").checked = done.has(step.dataset.step);
    const n = steps.filter((step) => done.has(step.dataset.step)).length;
    progress.textContent = interpolate(gettext("%(n)s of %(total)s steps done."), { n, total: steps.length }, true);
  }

  function mark(step, isDone) {
    const done = taken();
    if (isDone) done.add(step.dataset.step);
    else done.delete(step.dataset.step);
    try {
      window.localStorage.setItem(KEY, JSON.stringify([...done]));
    } catch {
      /* it then holds for nothing: the list stays a plain list */
    }
    show();
  }

  for (const step of steps) {
    step.querySelector("[data-step-done]").hidden = false;
    step.querySelector("input").addEventListener("change", (event) => mark(step, event.target.checked));
    step.querySelector("a[data-step-go]").addEventListener("click", () => mark(step, true));
  }
  window.addEventListener("pageshow", show);
  show();
})();
