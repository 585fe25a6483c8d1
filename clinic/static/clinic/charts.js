/* Figures: draws the Vega-Lite specification behind every element with data-vega-spec.

   <figure class="figure-chart" data-vega-spec="/url/of/spec.json">
     What shows without JavaScript: an image, the numbers, links to downloads.
   </figure>

   The drawing is put in front of what the element holds, and images marked data-vega-fallback step aside for it; the
   rest stays: links and tables are the text alternative. The specification's own description names the drawing for screen
   readers. Where a figure cannot be drawn, the image that its <noscript> holds is shown instead. The element gets
   data-vega-state="loading", "ready" or "failed". A drawing that is wider than its place scrolls, says so, and can be
   scrolled with the keyboard.

   The drawing library is large and is fetched when the first figure needs it, from the address in data-vega-src of
   this script's tag. Everything works under `script-src 'self'; style-src 'self'`: expressions are interpreted
   (ast), and charts.css styles the tooltip. Nothing moves or fades, so there is nothing to reduce for those who ask for
   less motion. */

"use strict";

(() => {
  const LIBRARY_URL = document.currentScript?.dataset.vegaSrc;
  const SELECTOR = "[data-vega-spec]";

  /** How axes and tooltips write numbers and days, by the page's language; English is the drawing library's own. */
  const LOCALES = {
    de: {
      formatLocale: { decimal: ",", thousands: ".", grouping: [3], currency: ["", " €"] },
      timeFormatLocale: {
        dateTime: "%A, %e. %B %Y, %X",
        date: "%d.%m.%Y",
        time: "%H:%M:%S",
        periods: ["AM", "PM"],
        days: ["Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"],
        shortDays: ["So", "Mo", "Di", "Mi", "Do", "Fr", "Sa"],
        months: ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"],
        shortMonths: ["Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"],
      },
    },
  };

  /** Figures on the page: element → {spec, dark, turn, drawing, result}. */
  const figures = new Map();
  let library = null;

  function loadLibrary() {
    if (window.vegaEmbed) return Promise.resolve(window.vegaEmbed);
    library ??= new Promise((resolve, reject) => {
      if (!LIBRARY_URL) {
        reject(new Error("charts.js: the script tag has no data-vega-src"));
        return;
      }
      const script = document.createElement("script");
      script.src = LIBRARY_URL;
      script.onload = () => resolve(window.vegaEmbed);
      script.onerror = () => {
        library = null; // a network that was away may be back at the next figure
        script.remove();
        reject(new Error("charts.js: the drawing library could not be loaded"));
      };
      document.head.append(script);
    });
    return library;
  }

  async function loadSpec(element) {
    const url = new URL(element.dataset.vegaSpec, document.baseURI);
    if (url.origin !== window.location.origin) throw new Error(`charts.js: ${url.origin} is not this site`);
    const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (!response.ok) throw new Error(`charts.js: ${url.pathname} answered ${response.status}`);
    return response.json();
  }

  /** Whether the text around the figure is light, whatever made it so: an attribute, a stylesheet or the system. */
  function isDark(element) {
    const channels = getComputedStyle(element).color.match(/^rgba?\((\d+), (\d+), (\d+)/);
    if (channels) {
      const [red, green, blue] = channels.slice(1).map(Number);
      return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
    }
    return element.closest("[data-bs-theme]")?.dataset.bsTheme === "dark";
  }

  /** Lay `over` on `base`, objects within objects; neither is changed. */
  function merged(base, over) {
    const result = { ...base };
    for (const [key, value] of Object.entries(over)) {
      const both = value && typeof value === "object" && !Array.isArray(value) && result[key];
      result[key] = both ? merged(result[key], value) : value;
    }
    return result;
  }

  function fit(drawing) {
    const scrolls = drawing.scrollWidth > drawing.clientWidth + 1;
    if (scrolls) drawing.tabIndex = 0;
    else drawing.removeAttribute("tabindex");
    const hint = drawing.nextElementSibling;
    if (hint?.matches(".figure-chart-hint")) hint.hidden = !scrolls;
  }

  const widths = new ResizeObserver((entries) => entries.forEach((entry) => fit(entry.target)));

  function drawingOf(element) {
    // A page taken from the history brings its old drawing along, without the code behind it.
    for (const old of element.querySelectorAll(":scope > .figure-chart-drawing")) old.remove();
    const drawing = document.createElement("div");
    drawing.className = "figure-chart-drawing";
    drawing.setAttribute("role", "img");
    element.prepend(drawing);
    const hint = document.createElement("p");
    hint.className = "figure-chart-hint";
    hint.setAttribute("aria-hidden", "true"); // the drawing's words say all of it
    hint.textContent = gettext("Scroll the figure sideways to see all of it.");
    for (const old of element.querySelectorAll(":scope > .figure-chart-hint")) old.remove();
    drawing.after(hint);
    widths.observe(drawing);
    return drawing;
  }

  async function draw(element, figure) {
    const dark = isDark(element);
    if (figure.dark === dark) return;
    figure.dark = dark;
    const turn = (figure.turn = (figure.turn ?? 0) + 1);
    figure.drawing ??= drawingOf(element);
    figure.drawing.setAttribute("aria-label", figure.spec.description ?? gettext("Figure"));
    const target = document.createElement("div");
    // The drawing is named as a whole; of its marks some, as what follows the pointer, have a role but no words.
    target.setAttribute("aria-hidden", "true");
    const overlay = dark ? figure.spec.usermeta?.dark : null;
    const spec = overlay ? { ...figure.spec, config: merged(figure.spec.config, overlay) } : figure.spec;
    const result = await window.vegaEmbed(target, spec, {
      mode: "vega-lite",
      renderer: "svg",
      ast: true,
      actions: false,
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true, theme: dark ? "dark" : "light" },
      ...LOCALES[document.documentElement.lang],
    });
    if (turn !== figure.turn || !figures.has(element)) {
      result.finalize(); // a newer drawing was begun, or the figure left the page, in the meantime
      return;
    }
    figure.result?.finalize();
    figure.result = result;
    figure.drawing.replaceChildren(target);
    fit(figure.drawing);
  }

  /** A copy of the image that <noscript> holds: text where the page was parsed, elements where htmx swapped it in. */
  function servedImage(element) {
    const held = element.querySelector(":scope > noscript");
    const image =
      held?.querySelector("img") ??
      new DOMParser().parseFromString(held?.textContent ?? "", "text/html").querySelector("img");
    return image ? document.importNode(image) : null;
  }

  function failed(element, error) {
    console.error(error);
    element.dataset.vegaState = "failed";
    if (element.querySelector(":scope > .figure-chart-error, :scope > [data-vega-served]")) return;
    for (const old of element.querySelectorAll(":scope > .figure-chart-drawing")) old.remove();
    const image = servedImage(element);
    if (image) {
      image.dataset.vegaServed = "";
      image.loading = "eager";
      image.addEventListener("error", () => {
        image.remove();
        sayFailed(element);
      });
      element.prepend(image);
    } else sayFailed(element);
  }

  function sayFailed(element) {
    const message = document.createElement("p");
    message.className = "figure-chart-error";
    message.setAttribute("role", "status");
    message.textContent = gettext("The figure could not be drawn here. Its numbers and downloads are not affected.");
    element.prepend(message);
  }

  async function show(element) {
    if (figures.has(element)) return;
    const figure = {};
    figures.set(element, figure);
    element.dataset.vegaState = "loading";
    try {
      [figure.spec] = await Promise.all([loadSpec(element), loadLibrary()]);
      if (!figures.has(element)) return;
      await draw(element, figure);
      for (const image of element.querySelectorAll("[data-vega-fallback]")) image.hidden = true;
      element.querySelector(":scope > .figure-chart-error, :scope > [data-vega-served]")?.remove();
      element.dataset.vegaState = "ready";
    } catch (error) {
      failed(element, error);
    }
  }

  function redraw(element) {
    const figure = figures.get(element);
    if (figure?.result) draw(element, figure).catch((error) => failed(element, error));
  }

  function forget(element) {
    const figure = figures.get(element);
    if (!figure) return;
    figure.result?.finalize();
    if (figure.drawing) widths.unobserve(figure.drawing);
    figures.delete(element);
  }

  /** Draw what is new on the page and let go of what has left it. */
  function refresh() {
    for (const element of [...figures.keys()]) if (!element.isConnected) forget(element);
    for (const element of document.querySelectorAll(SELECTOR)) show(element);
  }

  let waiting = null;
  function redrawAll() {
    clearTimeout(waiting);
    waiting = setTimeout(() => [...figures.keys()].forEach(redraw), 50);
  }

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  new MutationObserver(redrawAll).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-bs-theme", "class"],
  });
  // htmx: a swap brings new figures and takes old ones; going back restores a page that was never drawn here.
  document.addEventListener("htmx:afterSettle", refresh);
  document.addEventListener("htmx:historyRestore", refresh);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", refresh);
  else refresh();
})();
