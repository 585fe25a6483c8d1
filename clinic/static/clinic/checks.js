/* Says what is wrong with a field when it is left, in the words of the server, which checks it again when the form is sent.
   Nothing is said of a field that was left empty: it may still be filled. */

"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form[data-checked]");
  if (!form) return;
  const newest = new Map(); // by the name of a field: answers may come in another order than they were asked for

  function say(control, errors) {
    const field = control.closest(".field");
    if (!field) return;
    field.querySelector(".field-errors")?.remove();
    field.classList.toggle("field-wrong", errors.length > 0);
    const id = `${control.id}_error`;
    const described = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((one) => one && one !== id);
    if (errors.length) {
      const list = document.createElement("ul");
      list.className = "field-errors";
      list.id = id;
      list.setAttribute("role", "status");
      for (const words of errors) list.append(Object.assign(document.createElement("li"), { textContent: words }));
      field.append(list);
      described.push(id);
      control.setAttribute("aria-invalid", "true");
    } else {
      control.removeAttribute("aria-invalid");
    }
    if (described.length) control.setAttribute("aria-describedby", described.join(" "));
    else control.removeAttribute("aria-describedby");
  }

  form.addEventListener("change", async (event) => {
    const control = event.target;
    if (!control.name || !control.id || !["INPUT", "TEXTAREA", "SELECT"].includes(control.tagName)) return;
    if (["checkbox", "radio", "password", "file", "hidden"].includes(control.type)) return;
    const turn = (newest.get(control.name) ?? 0) + 1;
    newest.set(control.name, turn);
    if (!control.value.trim()) {
      say(control, []);
      return;
    }
    try {
      const answer = await fetch(window.location.href, {
        method: "POST", body: new FormData(form), redirect: "manual", headers: { "X-Check-Field": control.name },
      });
      if (!answer.ok || !answer.headers.get("Content-Type")?.startsWith("application/json")) return;
      const { errors } = await answer.json();
      if (newest.get(control.name) === turn) say(control, errors);
    } catch {
      /* the registry is not reached: the form says so when it is sent */
    }
  });
});
