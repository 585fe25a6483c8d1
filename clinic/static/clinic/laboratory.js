/* The table of laboratory values: where it is too wide, its newest days are shown first.

   The grid that takes them: moves between its cells like a spreadsheet, and takes a block copied in one.

   Nothing here is needed to enter values: without JavaScript the grid is a form, and the box below takes the same block.
   What is pasted is only laid into the cells; the server reads and refuses it like what was typed. */

"use strict";

(() => {
  for (const box of document.querySelectorAll("[data-newest-first]")) box.scrollLeft = box.scrollWidth;

  const grid = document.querySelector("[data-lab-grid]");
  if (!grid) return;
  const said = document.querySelector("[data-grid-said]");

  const dates = [...grid.querySelectorAll("thead input")];
  const rows = [...grid.querySelectorAll("tbody tr")].map((row) => ({
    names: new Set(row.dataset.names.split("|").map(nameKey)),
    label: row.querySelector("th").textContent.trim(),
    unit: row.querySelector("select"),
    cells: [...row.querySelectorAll("input")],
  }));

  // As treatments/rules/labs.py matches names and units.
  function nameKey(text) {
    return text.normalize("NFKC").toLowerCase().replace(/[\s_.\-‐–]/gu, "");
  }

  function unitKey(text) {
    return text
      .normalize("NFKC")
      .toLowerCase()
      .replaceAll("μ", "u")
      .replace(/[\s^*·×.]/gu, "")
      .replace(/^x(?=10)/u, "")
      .replace(/^10e(?=\d)/u, "10")
      .replace(/^(cells?|zellen|1)(?=\/)/u, "");
  }

  /** The row and the unit, if one is named, of "Hb (g/dL)", "Hb in g/dL" or "Hb"; null where the name is not known. */
  function headingOf(text) {
    const named = (name) => rows.find((row) => row.names.has(nameKey(name)));
    const whole = named(text);
    if (whole) return { row: whole, unit: "" };
    const bracketed = text.trim().match(/^(.+?)\s*[([]([^()[\]]*)[)\]]\s*$/u);
    if (bracketed) {
      const row = named(bracketed[1]);
      return row ? { row, unit: named(bracketed[2]) === row ? "" : bracketed[2] } : null;
    }
    const plain = text.trim().match(/^(.+?)(?:\s+in|\s*,)?\s+(\S+)$/u);
    const row = plain && named(plain[1]);
    return row && optionOf(row, plain[2]) ? { row, unit: plain[2] } : null;
  }

  function optionOf(row, unit) {
    return [...row.unit.options].find((option) => unitKey(option.value) === unitKey(unit));
  }

  // Moving

  function cellAt(row, column) {
    return row < 0 ? dates[column] : rows[row]?.cells[column];
  }

  grid.addEventListener("keydown", (event) => {
    const cell = event.target.closest("input");
    if (!cell || event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    const row = Number(cell.dataset.row);
    const column = Number(cell.dataset.column);
    const allChosen = cell.selectionStart === 0 && cell.selectionEnd === cell.value.length;
    const atStart = cell.selectionEnd === 0 || allChosen;
    const atEnd = cell.selectionStart === cell.value.length || allChosen;
    let target = null;
    if (event.key === "Enter") {
      event.preventDefault(); // a form is stored by its button, not by the end of a number
      target = cellAt(row + (event.shiftKey ? -1 : 1), column) ?? cellAt(-1, column + 1);
    } else if (event.shiftKey) return;
    else if (event.key === "ArrowDown") target = cellAt(row + 1, column);
    else if (event.key === "ArrowUp" && row >= 0) target = cellAt(row - 1, column);
    else if (event.key === "ArrowRight" && atEnd) target = cellAt(row, column + 1);
    else if (event.key === "ArrowLeft" && atStart) target = cellAt(row, column - 1);
    if (!target) return;
    event.preventDefault();
    target.focus();
    target.select();
  });

  // Pasting

  /** Rows of cells of a block copied in a spreadsheet: tabs and line ends, cells with either in quotes. */
  function blockOf(text) {
    const block = [[""]];
    let quoted = false;
    for (let at = 0; at < text.length; at++) {
      const sign = text[at];
      const line = block.at(-1);
      if (quoted) {
        if (sign === '"' && text[at + 1] === '"') line[line.length - 1] += text[++at];
        else if (sign === '"') quoted = false;
        else line[line.length - 1] += sign;
      } else if (sign === '"' && line.at(-1) === "") quoted = true;
      else if (sign === "\t") line.push("");
      else if (sign === "\n") block.push([""]);
      else if (sign !== "\r") line[line.length - 1] += sign;
    }
    return block.map((line) => line.map((cell) => cell.trim())).filter((line) => line.some(Boolean));
  }

  const isDate = (text) => /^\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}/u.test(text);
  const isNumber = (text) => /^[<>≤≥−-]?\s*[\d.,]+$/u.test(text);

  function turned(block) {
    const width = Math.max(...block.map((line) => line.length));
    return Array.from({ length: width }, (_, at) => block.map((line) => line[at] ?? ""));
  }

  function lay(cell, text) {
    cell.value = text;
    cell.dataset.pasted = "";
    cell.addEventListener("input", () => delete cell.dataset.pasted, { once: true });
  }

  /** Columns of the grid for the dates of a block: one that has the date already, else the next empty one. */
  function columnsFor(found, problems) {
    const taken = new Set();
    return found.map((date) => {
      if (!date) return -1;
      const isEmpty = (column) =>
        !taken.has(column) && !dates[column].value && rows.every((row) => !row.cells[column].value);
      let column = dates.findIndex((input) => input.value.trim() === date);
      if (column < 0) column = dates.findIndex((_, at) => isEmpty(at));
      if (column < 0) {
        problems.push(interpolate(gettext("No empty column is left for %(date)s: store these first."), { date }, true));
        return -1;
      }
      taken.add(column);
      lay(dates[column], date);
      return column;
    });
  }

  function distribute(block, cell) {
    const problems = [];
    let laid = 0;
    let lines = block;
    if (lines[0].slice(1).some((text) => headingOf(text)) && lines.slice(1).some((line) => isDate(line[0]))) {
      lines = turned(lines);
    }
    const withDates = lines[0].slice(1).some(isDate) || (lines.length > 1 && lines[0].every((text) => !text || isDate(text)));
    const body = withDates ? lines.slice(1) : lines;
    const withNames = body.some((line) => line[0] && !isNumber(line[0]) && !isDate(line[0]) && line.length > 1);
    const heading = withDates ? lines[0].slice(withNames ? 1 : 0) : [];
    const unitAt = withNames
      ? withDates
        ? heading.findIndex((text) => /^(units?|einheit(en)?)$/iu.test(text))
        : body.every((line) => line[1] && !isNumber(line[1])) ? 0 : -1
      : -1;
    const from = Math.max(0, Number(cell.dataset.column));
    const columns = withDates ? columnsFor(heading.map((text) => (isDate(text) ? text : "")), problems) : null;
    let row = Math.max(0, Number(cell.dataset.row));
    for (const line of body) {
      let target = rows[row];
      let unit = "";
      if (withNames) {
        const found = line[0] ? headingOf(line[0]) : null;
        if (!found) {
          problems.push(interpolate(gettext("“%(name)s” is not known here: left out."), { name: line[0] || gettext("A row without a name") }, true));
          continue;
        }
        target = found.row;
        unit = found.unit;
      }
      const values = line.slice(withNames ? 1 : 0);
      if (unitAt >= 0) unit = values[unitAt] || unit;
      if (!target) {
        problems.push(interpolate(gettext("No row is left for %(values)s."), { values: values.filter(Boolean).join(", ") }, true));
        continue;
      }
      if (unit) {
        const option = optionOf(target, unit);
        if (!option) {
          problems.push(interpolate(gettext("%(name)s is not known in %(unit)s: left out."), { name: target.label, unit }, true));
          continue;
        }
        const others = target.cells.some((one) => one.value && !("pasted" in one.dataset));
        if (others && option.value !== target.unit.value) {
          problems.push(interpolate(
            gettext("%(name)s already has values in %(held)s; those in %(unit)s were left out."),
            { name: target.label, held: target.unit.value, unit },
            true,
          ));
          continue;
        }
        target.unit.value = option.value;
      }
      let column = from;
      values.forEach((value, at) => {
        if (at === unitAt) return;
        const place = columns ? columns[at] ?? -1 : column++;
        if (!value || ["-", "–", "—"].includes(value)) return;
        if (place < 0 || !target.cells[place]) {
          if (!columns || !heading[at]) problems.push(interpolate(gettext("No column is left for %(name)s %(value)s."), { name: target.label, value }, true));
          return;
        }
        lay(target.cells[place], value);
        laid++;
      });
      row++;
    }
    said.dataset.level = problems.length ? "warning" : "info";
    const done = ngettext("%(n)s value laid into the grid, not stored yet.", "%(n)s values laid into the grid, not stored yet.", laid);
    said.textContent = [interpolate(done, { n: laid }, true), ...problems].join("\n");
  }

  grid.addEventListener("paste", (event) => {
    const cell = event.target.closest("input");
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!cell || !/[\t\n]/u.test(text.trim())) return; // one value is pasted as anywhere
    event.preventDefault();
    const block = blockOf(text);
    const heading = block[0].map((name) => name.toLowerCase());
    const below = document.querySelector("#id_table");
    if (heading.includes("analyte") && heading.includes("value") && below && !below.value.trim()) {
      below.value = text;
      below.focus();
      said.dataset.level = "info";
      said.textContent = gettext("One value a line: the block was put into the box below, not stored yet.");
      return;
    }
    distribute(block, cell);
  });
})();
