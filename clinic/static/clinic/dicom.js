/* Says while files are on their way that they are: how many, and how large. */
(() => {
  "use strict";
  const MIB = 1024 * 1024;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches?.("form[data-dicom-upload]")) return;
    const files = [...(form.querySelector("input[type=file]")?.files ?? [])];
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    const what = files.length ? `${files.length} file${files.length === 1 ? "" : "s"}, ${Math.max(1, Math.round(bytes / MIB))} MiB` : "";
    form.querySelector("[data-upload-said]").textContent = what ? `Reading ${what} …` : "Reading …";
  });
  window.addEventListener("pageshow", () => {
    for (const said of document.querySelectorAll("[data-upload-said]")) said.textContent = "";
  });
})();
