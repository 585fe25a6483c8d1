/* Keeps what is typed into a form until it is sent, so that a session that ends, a tab that is closed or a machine that
   stops loses nothing; and asks before a form that was changed is left. */

"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form[data-draft]");
  if (!form) return;
  const address = form.dataset.draft;
  const token = () => form.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  let isChanged = "draftChanged" in form.dataset; // since it was last stored; a form that was refused is not
  let isKept = true; // by the server, as it stands
  let isSending = false;
  let timer = 0;

  const said = document.createElement("p");
  said.className = "draft-said quiet";
  said.setAttribute("role", "status");
  form.append(said);

  function body(extra = {}) {
    const data = new FormData();
    for (const [name, value] of new FormData(form)) {
      const field = form.elements[name];
      if (typeof value === "string" && field?.type !== "password" && name !== "csrfmiddlewaretoken") data.append(name, value);
    }
    data.append("draft_place", window.location.pathname);
    for (const [name, value] of Object.entries(extra)) data.append(name, value);
    return data;
  }

  async function keep() {
    clearTimeout(timer);
    if (isKept || isSending) return;
    isKept = true;
    try {
      const answer = await fetch(address, {
        method: "POST", body: body(), headers: { "X-CSRFToken": token() }, redirect: "manual", keepalive: true,
      });
      if (answer.ok) {
        said.textContent = gettext("Draft kept.");
        return;
      }
      isKept = false;
      said.textContent = answer.type === "opaqueredirect" || answer.status === 403
        ? gettext("You are signed out. What you typed stays here: sign in again in another tab, then go on.")
        : gettext("The draft could not be kept.");
    } catch {
      isKept = false;
      said.textContent = gettext("The registry is not reached. What you typed stays on this page.");
    }
  }

  function changed() {
    isChanged = true;
    isKept = false;
    clearTimeout(timer);
    timer = setTimeout(keep, 1500);
  }

  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  form.addEventListener("submit", () => {
    isSending = true;
    clearTimeout(timer);
    // Should the session have ended, the next page asks to sign in, and the draft is all that is left of this one.
    if (isChanged) fetch(address, { method: "POST", body: body(), headers: { "X-CSRFToken": token() }, keepalive: true }).catch(() => {});
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") keep();
  });
  window.addEventListener("beforeunload", (event) => {
    if (isChanged && !isSending) {
      keep();
      event.preventDefault();
    }
  });
  window.addEventListener("pageshow", () => { isSending = false; });

  const offer = document.querySelector("[data-draft-offer]");
  if (!offer) return;
  offer.hidden = false;
  offer.querySelector("[data-draft-take]").addEventListener("click", () => {
    const kept = JSON.parse(document.getElementById("draft-fields").textContent);
    for (const field of form.elements) {
      if (!field.name || field.type === "hidden" && field.name === "csrfmiddlewaretoken") continue;
      const values = kept[field.name];
      if (field.type === "checkbox" || field.type === "radio") field.checked = (values ?? []).includes(field.value);
      else if (field.type === "select-multiple") for (const option of field.options) option.selected = (values ?? []).includes(option.value);
      else if (values && field.type !== "password" && field.name !== "sent_as") field.value = values.length > 1 ? values.shift() : values[0];
    }
    offer.hidden = true;
    isChanged = true;
    form.dispatchEvent(new Event("change"));
    form.querySelector("input:not([type=hidden]), select, textarea")?.focus();
  });
  offer.querySelector("[data-draft-drop]").addEventListener("click", () => {
    offer.hidden = true;
    const data = new FormData();
    data.append("draft_place", window.location.pathname);
    data.append("draft_drop", "1");
    fetch(address, { method: "POST", body: data, headers: { "X-CSRFToken": token() } }).catch(() => {});
  });
});
