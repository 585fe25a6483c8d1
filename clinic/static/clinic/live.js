/* The mark that says how fresh a dashboard is: it must not stay "Up to date" when nobody answers.

   <div id="freshness" hx-get="…" hx-trigger="every 2s" data-sign-in="/sign-in/?next=…">
     <span data-freshness>Up to date</span> …
   </div>

   htmx asks and swaps in what is new. Here: an answer that fails or does not come, and one that is the sign-in page because
   the session has ended, put another mark in place of the last one; the next good answer puts it back. */

"use strict";

(() => {
  const SIGNED_OUT_PAUSE_MS = 15000; // somebody may sign in again in another tab
  let asked = 0;

  const isMark = (element) => element?.id === "freshness";

  /** Show `words` in place of what the mark said, or with null that again. */
  function say(mark, state, words, link) {
    if ((mark.dataset.connection ?? "") === state) return; // once: it is read aloud
    mark.querySelector("[data-connection-said]")?.remove();
    const usual = mark.querySelector("[data-freshness]");
    if (usual) usual.hidden = words !== null;
    if (words === null) {
      delete mark.dataset.connection;
      return;
    }
    mark.dataset.connection = state;
    const said = document.createElement("span");
    said.dataset.connectionSaid = "";
    const status = document.createElement("span");
    status.className = "status";
    status.dataset.status = "lost";
    status.textContent = words[0];
    said.append(status, " ");
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link;
      anchor.textContent = words[1];
      said.append(anchor);
    } else said.append(words[1]);
    mark.prepend(said);
  }

  function lost(event) {
    const mark = event.detail.elt;
    if (isMark(mark)) say(mark, "lost", [gettext("Not connected:"), gettext("this may be out of date")]);
  }

  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) document.addEventListener(name, lost);

  document.addEventListener("htmx:beforeRequest", (event) => {
    const mark = event.detail.elt;
    if (!isMark(mark)) return;
    // A tab nobody looks at asks again when somebody does.
    const pause = mark.dataset.connection === "signed-out" && Date.now() - asked < SIGNED_OUT_PAUSE_MS;
    if (document.hidden || pause) event.preventDefault();
    else asked = Date.now();
  });

  // Before htmx swaps: also for a 204, which it does not swap.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt: mark, xhr, pathInfo } = event.detail;
    if (!isMark(mark) || xhr.status >= 400) return;
    const answered = new URL(xhr.responseURL, document.baseURI).pathname;
    const wanted = new URL(pathInfo.requestPath, document.baseURI).pathname;
    if (answered === wanted) {
      say(mark, "", null);
      return;
    }
    event.detail.shouldSwap = false; // the sign-in page does not fit in a mark
    say(mark, "signed-out", [gettext("Signed out:"), gettext("sign in again")], mark.dataset.signIn);
  });
})();
