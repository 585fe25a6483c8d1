/* A dashboard that is swapped whole keeps open what was open; a button copies a text.

   <details id="…"> inside #dashboard: opened again after the swap, by its id.
   <button data-copy="id of an element" hidden>: shown where the browser can copy; says that it did. */

"use strict";

(() => {
  let open = [];

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (event.detail.target?.id !== "dashboard") return;
    open = [...event.detail.target.querySelectorAll("details[open][id]")].map((element) => element.id);
  });

  function offerCopy() {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
  }

  document.addEventListener("htmx:afterSettle", () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    open = [];
    offerCopy();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy)?.textContent.trim() ?? "";
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = gettext("Copied");
    } catch {
      button.textContent = gettext("Select the text and copy it");
    }
  });

  offerCopy();
})();
