/* The grid of lesions: moves between its cells like a spreadsheet, takes a block that was copied in one, stores every cell as
   it is left, and shows what would follow while one types.

   No rule is here: sums, percentages and responses come from the server, which also reads what was typed. Without JavaScript
   the grid is a form that is stored by its button. */

"use strict";

(() => {
  const form = document.querySelector("[data-lesion-form]");
  if (!form) return;
  for (const help of document.querySelectorAll("[data-needs-script]")) help.hidden = false;
  const grid = form.querySelector("[data-lesion-grid]");
  const inputs = grid ? [...grid.querySelectorAll("input[data-field]")] : [];
  if (!inputs.length) return;

  const said = form.querySelector("[data-lesion-said]");
  const url = form.dataset.cellUrl;
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const PREVIEW_MS = 350;
  const RETRY_MS = 4000;
  const KEPT = `lesions:${location.pathname}${location.search}`;
  form.querySelector("[data-whole]").hidden = true;

  const rows = [...grid.querySelectorAll("tr")].map((row) => [...row.querySelectorAll("input[data-field]")]).filter((row) => row.length);
  const stored = new Map(inputs.map((input) => [input, input.defaultValue]));
  const waiting = new Set(); // what has been typed and is not stored yet, in the order it came
  let sending = null;
  let retry = 0;
  let previewAsked = 0;
  let previewAt = 0;

  function say(text, level = "info") {
    said.dataset.level = level;
    said.textContent = text;
  }

  const versionOf = (input) => form.elements[`version_${input.dataset.lesion}_${input.dataset.study}`];
  const reason = () => form.elements.reason?.value ?? "";

  // What waits is kept for this tab, so that a closed lid or a reload loses nothing.

  // The page that follows may have been read before what is being sent now was stored: it is sent once more from there.
  let leaving = 0;

  function keep() {
    if (leaving) return;
    try {
      const cells = Object.fromEntries([...waiting].map((input) => [input.id, input.value]));
      if (waiting.size) sessionStorage.setItem(KEPT, JSON.stringify(cells));
      else sessionStorage.removeItem(KEPT);
    } catch {
      /* storage may be forbidden; the page still holds them */
    }
  }

  function bringBack() {
    let cells = {};
    try {
      cells = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
    } catch {
      return;
    }
    for (const [id, value] of Object.entries(cells)) {
      const input = document.getElementById(id);
      if (!input || stored.get(input) === value) continue;
      input.value = value;
      queue(input);
    }
  }

  window.addEventListener("beforeunload", (event) => {
    if (!waiting.size) return;
    event.preventDefault();
    clearTimeout(leaving);
    leaving = setTimeout(() => {
      leaving = 0; // the reader stayed
      keep();
    }, 2000);
  });

  // Storing, one cell after the other

  function queue(input) {
    if (input.value.trim() === stored.get(input)) {
      waiting.delete(input);
      delete input.dataset.state;
      complain(input, "");
      keep();
      return;
    }
    waiting.add(input);
    input.dataset.state = "waiting";
    keep();
    send();
  }

  function complain(input, message) {
    const id = `${input.id}_error`;
    document.getElementById(id)?.remove();
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
    if (!message) return;
    const line = document.createElement("span");
    line.className = "lesion-error";
    line.id = id;
    line.textContent = message;
    input.after(line);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", id);
  }

  function body(input, value) {
    const data = new FormData();
    data.set("lesion", input.dataset.lesion);
    data.set("study", input.dataset.study);
    data.set("field", input.dataset.field);
    data.set("value", value);
    data.set("version", versionOf(input).value);
    data.set("reason", reason());
    data.set("csrfmiddlewaretoken", token);
    return data;
  }

  function show(answer) {
    for (const [id, html] of Object.entries(answer.fragments)) {
      // A template takes the rows of a table too.
      const holder = document.createElement("template");
      holder.innerHTML = html;
      document.getElementById(id).replaceWith(holder.content.getElementById(id));
    }
  }

  async function send() {
    if (sending) return;
    clearTimeout(retry);
    sending = [...waiting].find((input) => !input.hasAttribute("aria-invalid") && input.dataset.refused !== input.value + reason());
    if (!sending) return;
    const input = sending;
    const value = input.value.trim();
    let response = null;
    try {
      response = await fetch(url, { method: "POST", body: body(input, value), redirect: "error", headers: { "X-Requested-With": "fetch" } });
    } catch {
      sending = null;
      away(navigator.onLine ? gettext("The registry cannot be reached, or you have been signed out (sign in again in another tab).") : gettext("There is no connection."));
      return;
    }
    sending = null;
    if (response.status >= 500 || response.status === 403 || response.status === 404) {
      away(response.status >= 500 ? gettext("The registry could not store it just now.") : gettext("The registry refuses this: sign in again in another tab, or reload the page."));
      return;
    }
    const answer = await response.json();
    if (response.ok) accepted(input, value, answer);
    else if (response.status === 409) overtaken(input, answer);
    else refused(input, answer);
    send();
  }

  function away(what) {
    const n = waiting.size;
    const kept = ngettext(
      "%(n)s cell waits here and is sent again by itself; nothing is lost.",
      "%(n)s cells wait here and are sent again by themselves; nothing is lost.",
      n,
    );
    say(`${what} ${interpolate(kept, { n }, true)}`, "warning");
    retry = setTimeout(send, RETRY_MS);
  }

  function accepted(input, value, answer) {
    versionOf(input).value = answer.version;
    const other = partner(input);
    stored.set(input, answer[input.dataset.field]);
    if (input.value.trim() === value) {
      input.value = answer[input.dataset.field];
      waiting.delete(input);
      input.dataset.state = "stored";
    }
    for (const one of [input, other]) one?.closest("td").classList.remove("lesion-draft");
    complain(input, "");
    if (!waiting.size) {
      previewAt = ++previewAsked; // an earlier preview is out of date
      show(answer);
      say("");
    }
    keep();
  }

  function refused(input, answer) {
    if (answer.asks_reason && form.elements.reason) {
      input.dataset.refused = input.value + reason();
      say(`${answer.error} ${gettext("What you typed waits until the reason is given.")}`, "warning");
      return;
    }
    complain(input, answer.error);
  }

  function overtaken(input, answer) {
    // Theirs stands in the registry; mine stays in the cell, and is stored over it when it is sent once more.
    versionOf(input).value = answer.version;
    const theirs = answer[input.dataset.field];
    stored.set(input, theirs);
    const other = partner(input);
    if (other && !waiting.has(other)) {
      other.value = answer[other.dataset.field];
      stored.set(other, other.value);
    }
    waiting.delete(input);
    const complaint = theirs
      ? interpolate(gettext("Somebody else has stored “%(value)s” here. To store yours over it, press Enter in the cell."), { value: theirs }, true)
      : gettext("Somebody else has stored “nothing” here. To store yours over it, press Enter in the cell.");
    complain(input, complaint);
    show(answer);
    keep();
  }

  const partner = (input) => inputs.find((one) => one !== input && one.dataset.lesion === input.dataset.lesion && one.dataset.study === input.dataset.study);

  // What would follow, while one types

  let previewTimer = 0;

  function preview(input) {
    clearTimeout(previewTimer);
    const value = input.value.trim();
    if (value === stored.get(input) && !waiting.size) return;
    previewTimer = setTimeout(async () => {
      const asked = ++previewAsked;
      const data = body(input, value);
      data.set("preview", "1");
      try {
        const response = await fetch(url, { method: "POST", body: data, redirect: "error" });
        if (!response.ok || asked !== previewAsked || previewAt > asked) return;
        show(await response.json());
        for (const word of document.querySelectorAll("[data-preview-word]")) word.hidden = false;
      } catch {
        /* storing says so when the cell is left */
      }
    }, PREVIEW_MS);
  }

  grid.addEventListener("input", (event) => {
    const input = event.target.closest("input[data-field]");
    if (!input) return;
    complain(input, "");
    input.dataset.state = "waiting";
    preview(input);
  });

  grid.addEventListener("change", (event) => {
    const input = event.target.closest("input[data-field]");
    if (input) left(input);
  });

  function left(input) {
    clearTimeout(previewTimer);
    queue(input);
  }

  form.elements.reason?.addEventListener("change", () => {
    for (const input of waiting) complain(input, "");
    send();
  });
  window.addEventListener("online", send);
  form.addEventListener("submit", (event) => {
    event.preventDefault(); // Enter moves; every cell stores itself
  });

  // Moving

  grid.addEventListener("keydown", (event) => {
    const input = event.target.closest("input[data-field]");
    if (!input || event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    const at = rows.findIndex((row) => row.includes(input));
    const column = rows[at].indexOf(input);
    const all = input.selectionStart === 0 && input.selectionEnd === input.value.length;
    let target = null;
    if (event.key === "Enter") {
      event.preventDefault();
      if (input.hasAttribute("aria-invalid")) {
        complain(input, "");
        left(input);
      } else if (input.value.trim() !== stored.get(input)) left(input);
      target = rows[at + (event.shiftKey ? -1 : 1)]?.[column] ?? (event.shiftKey ? null : rows[0][column + 2]);
    } else if (event.key === "Escape") {
      input.value = stored.get(input);
      left(input);
      return;
    } else if (event.shiftKey) return;
    else if (event.key === "ArrowDown") target = rows[at + 1]?.[column];
    else if (event.key === "ArrowUp") target = rows[at - 1]?.[column];
    else if (event.key === "ArrowRight" && (input.selectionStart === input.value.length || all)) target = rows[at][column + 1];
    else if (event.key === "ArrowLeft" && (input.selectionEnd === 0 || all)) target = rows[at][column - 1];
    if (!target) return;
    event.preventDefault();
    target.focus();
    target.select();
  });

  // Pasting a block: sizes into sizes, uptakes into uptakes

  grid.addEventListener("paste", (event) => {
    const input = event.target.closest("input[data-field]");
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!input || !/[\t\n]/u.test(text.trim())) return;
    event.preventDefault();
    const block = text.replace(/\r/gu, "").replace(/\n+$/u, "").split("\n").map((line) => line.split("\t").map((cell) => cell.trim()));
    const first = rows.findIndex((row) => row.includes(input));
    const from = rows[first].indexOf(input);
    let laid = 0;
    const beyond = [];
    block.forEach((line, down) => {
      line.forEach((value, right) => {
        if (!value) return;
        const target = rows[first + down]?.[from + 2 * right];
        if (!target) {
          beyond.push(value);
          return;
        }
        target.value = value;
        complain(target, "");
        queue(target);
        laid++;
      });
    });
    const lines = [interpolate(ngettext("%(n)s value laid into the grid.", "%(n)s values laid into the grid.", laid), { n: laid }, true)];
    if (beyond.length) lines.push(interpolate(gettext("No cell is left for %(values)s."), { values: beyond.join(", ") }, true));
    say(lines.join("\n"), beyond.length ? "warning" : "info");
  });

  bringBack();
})();
