/* Says while files are on their way that they are: how many, and how large. */
(() => {
  "use strict";
  const MIB = 1024 * 1024;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches?.("form[data-dicom-upload]")) return;
    const files = [...(form.querySelector("input[type=file]")?.files ?? [])];
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    const n = files.length;
    const sent = interpolate(ngettext("Reading %(n)s file, %(mib)s MiB …", "Reading %(n)s files, %(mib)s MiB …", n), { n, mib: Math.max(1, Math.round(bytes / MIB)) }, true);
    form.querySelector("[data-upload-said]").textContent = n ? sent : gettext("Reading …");
  });
  window.addEventListener("pageshow", () => {
    for (const said of document.querySelectorAll("[data-upload-said]")) said.textContent = "";
  });
})();
