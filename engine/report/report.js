"use strict";

// Texts come from files and are only ever set as text.
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function dataOf(parent) {
  return JSON.parse(parent.querySelector('script[type="application/json"]').textContent);
}

// Charts: a line at the position next to the pointer, and the values there.
function showValues(figure) {
  const data = dataOf(figure);
  const plot = figure.querySelector(".plot");
  const cursor = element("i", "cursor");
  const tip = element("div", "tip");
  const places = data.at.map((at, i) => ({ at, i })).filter(({ i }) => data.series.some((series) => series.y[i] !== null));
  const hide = () => { cursor.remove(); tip.remove(); };
  const show = (event) => {
    const box = plot.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width;
    const nearest = places.reduce((a, b) => (Math.abs(b.at - at) < Math.abs(a.at - at) ? b : a)).i;
    tip.replaceChildren(element("b", "", data.x + " " + data.labels[nearest]));
    data.series.forEach((series, s) => {
      if (series.y[nearest] === null) return;
      const row = element("div", "s" + s);
      row.append(element("span", "", series.name), element("b", "", series.y[nearest] + data.unit));
      tip.append(row);
    });
    const share = data.at[nearest];
    cursor.style.left = 100 * share + "%";
    tip.style.left = share < 0.5 ? `calc(${100 * share}% + 10px)` : "auto";
    tip.style.right = share < 0.5 ? "auto" : `calc(${100 * (1 - share)}% + 10px)`;
    plot.append(cursor, tip);
  };
  plot.addEventListener("pointermove", show);
  plot.addEventListener("pointerdown", show);
  plot.addEventListener("pointerleave", hide);
}

// The confusion matrix: a window of `size` x `size` cells is drawn, all of them at first.
function drawMatrix(card) {
  const { classes, cells } = dataOf(card);
  const count = classes.length;
  const canvas = card.querySelector("canvas");
  const readout = card.querySelector(".readout");
  const rows = Array.from({ length: count }, () => new Map());
  const totals = new Array(count).fill(0);
  for (let i = 0; i < cells.length; i += 3) {
    rows[cells[i]].set(cells[i + 1], cells[i + 2]);
    totals[cells[i]] += cells[i + 2];
  }
  const view = { row: 0, column: 0, size: count };
  let pointed = null;
  let place = { left: 0, top: 0, cell: 1 }; // of the window on the canvas, CSS pixels

  // Names of a data set often differ only at their ends: what does not fit is left out in the middle.
  function clipped(context, text, width) {
    if (context.measureText(text).width <= width) return text;
    const letters = Array.from(text);
    let kept = letters.length - 1;
    const shortened = () => letters.slice(0, Math.ceil(kept / 2)).join("") + "…" + letters.slice(letters.length - Math.floor(kept / 2)).join("");
    while (kept > 0 && context.measureText(shortened()).width > width) --kept;
    return shortened();
  }

  function draw() {
    const { width } = canvas.getBoundingClientRect();
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(width * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const font = getComputedStyle(document.body).fontFamily;
    context.font = "11px " + font;
    const gutterFor = (cell) => {
      if (cell < 12) return 0;
      let longest = 0;
      for (let i = Math.floor(view.row); i < Math.min(count, view.row + view.size); ++i) longest = Math.max(longest, context.measureText(classes[i]).width);
      for (let i = Math.floor(view.column); i < Math.min(count, view.column + view.size); ++i) longest = Math.max(longest, context.measureText(classes[i]).width);
      return Math.min(longest + 10, width * 0.35);
    };
    const gutter = gutterFor(width * 0.75 / view.size);
    const side = width - gutter;
    const cell = side / view.size;
    place = { left: gutter, top: gutter, cell };
    context.save();
    context.beginPath();
    context.rect(gutter, gutter, side, side);
    context.clip();
    context.fillStyle = colour("--faint");
    context.fillRect(gutter, gutter, side, side);
    const gap = cell > 6 ? 1 : 0;
    const firstRow = Math.floor(view.row);
    const lastRow = Math.min(count, Math.ceil(view.row + view.size));
    for (let row = firstRow; row < lastRow; ++row) {
      for (const [column, value] of rows[row]) {
        if (column + 1 <= view.column || column >= view.column + view.size) continue;
        const share = value / totals[row];
        const x = gutter + (column - view.column) * cell;
        const y = gutter + (row - view.row) * cell;
        const palest = cell < 4 ? 0.4 : 0.12; // what is a dot has to be seen
        context.globalAlpha = palest + (1 - palest) * Math.pow(share, 0.7);
        context.fillStyle = colour(row === column ? "--s0" : "--bad");
        context.fillRect(x, y, Math.max(cell - gap, 1.2), Math.max(cell - gap, 1.2));
        if (cell >= 22) {
          context.globalAlpha = 1;
          context.font = Math.min(14, cell * 0.4) + "px " + font;
          context.fillStyle = share > 0.55 ? colour("--card") : colour("--ink");
          context.textAlign = "center";
          context.textBaseline = "middle";
          context.fillText(value, x + cell / 2, y + cell / 2, cell - 4);
        }
      }
    }
    context.globalAlpha = 1;
    if (pointed) {
      context.strokeStyle = colour("--ink");
      context.lineWidth = 1.5;
      context.strokeRect(gutter + (pointed.column - view.column) * cell, gutter + (pointed.row - view.row) * cell, Math.max(cell - gap, 2), Math.max(cell - gap, 2));
    }
    context.restore();
    if (gutter > 0) {
      context.font = "11px " + font;
      context.textBaseline = "middle";
      for (let i = 0; i < count; ++i) {
        const y = gutter + (i + 0.5 - view.row) * cell;
        context.fillStyle = colour(pointed && pointed.row === i ? "--ink" : "--soft");
        context.textAlign = "right";
        if (y > gutter && y < width) context.fillText(clipped(context, classes[i], gutter - 8), gutter - 6, y);
        const x = gutter + (i + 0.5 - view.column) * cell;
        if (x <= gutter || x >= width) continue;
        context.fillStyle = colour(pointed && pointed.column === i ? "--ink" : "--soft");
        context.save();
        context.translate(x, gutter - 6);
        context.rotate(-Math.PI / 2);
        context.textAlign = "left";
        context.fillText(clipped(context, classes[i], gutter - 8), 0, 0);
        context.restore();
      }
    }
    canvas.style.touchAction = view.size < count ? "none" : "pan-y";
    canvas.dataset.drawn = view.size;
  }

  function point(row, column) {
    pointed = row >= 0 && column >= 0 && row < count && column < count ? { row, column } : null;
    if (pointed) {
      const value = rows[row].get(column) || 0;
      const share = totals[row] ? ` (${(100 * value / totals[row]).toFixed(1)} %)` : "";
      readout.textContent = row === column
        ? `${value} of ${totals[row]} clips of “${classes[row]}” were recognised${share}.`
        : `${value} of ${totals[row]} clips of “${classes[row]}” were taken for “${classes[column]}”${share}.`;
    }
    draw();
  }

  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left - place.left;
    const y = event.clientY - box.top - place.top;
    if (x < 0 || y < 0) return [-1, -1];
    return [Math.floor(y / place.cell + view.row), Math.floor(x / place.cell + view.column)];
  }

  // Whole cells around (row, column), within the matrix.
  function zoom(size, row, column) {
    view.size = Math.min(count, Math.max(Math.min(count, 6), Math.round(size)));
    view.row = Math.min(count - view.size, Math.max(0, Math.round(row - view.size / 2)));
    view.column = Math.min(count - view.size, Math.max(0, Math.round(column - view.size / 2)));
    draw();
  }
  const zoomBy = (factor) => {
    const middle = pointed ? { row: pointed.row + 0.5, column: pointed.column + 0.5 } : { row: view.row + view.size / 2, column: view.column + view.size / 2 };
    zoom(view.size * factor, middle.row, middle.column);
  };
  card.querySelector('[data-zoom="in"]').addEventListener("click", () => zoomBy(0.5));
  card.querySelector('[data-zoom="out"]').addEventListener("click", () => zoomBy(2));
  card.querySelector('[data-zoom="all"]').addEventListener("click", () => zoom(count, 0, 0));
  if (count <= 6) card.querySelectorAll("[data-zoom]").forEach((button) => button.remove());

  let grabbed = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (view.size < count) {
      grabbed = { x: event.clientX, y: event.clientY, row: view.row, column: view.column };
      canvas.setPointerCapture(event.pointerId);
    }
    point(...cellAt(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grabbed) return point(...cellAt(event));
    const row = grabbed.row - (event.clientY - grabbed.y) / place.cell;
    const column = grabbed.column - (event.clientX - grabbed.x) / place.cell;
    zoom(view.size, row + view.size / 2, column + view.size / 2);
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { grabbed = null; });
  canvas.addEventListener("dblclick", (event) => {
    const [row, column] = cellAt(event);
    if (row >= 0) zoom(view.size / 2, row + 0.5, column + 0.5);
  });
  document.querySelectorAll(".pairs li").forEach((item) => item.addEventListener("click", () => {
    const row = Number(item.dataset.row);
    const column = Number(item.dataset.column);
    const readable = Math.round(canvas.clientWidth / 32);
    if (count > 2 * readable) zoom(readable, row + 0.5, column + 0.5);
    point(row, column);
  }));
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
}

// The table of classes: sorted by a click on a column's head, cut down to the names that hold what was typed.
function sortTable(section) {
  const body = section.querySelector("tbody");
  const rows = Array.from(body.rows);
  section.querySelectorAll("th button").forEach((button, column) => button.addEventListener("click", () => {
    const head = button.closest("th");
    const descending = head.getAttribute("aria-sort") === "ascending";
    section.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const value = (row) => Number(row.cells[column].dataset.value);
    rows.sort((a, b) => (descending ? value(b) - value(a) : value(a) - value(b)));
    body.append(...rows);
  }));
  const search = section.querySelector("input");
  const shown = section.querySelector(".count");
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let found = 0;
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      if (!row.hidden) ++found;
    }
    shown.textContent = wanted ? `${found} of ${rows.length} classes` : `${rows.length} classes`;
  });
}

document.querySelectorAll(".chart").forEach(showValues);
document.querySelectorAll(".matrix").forEach(drawMatrix);
document.querySelectorAll("#classes").forEach(sortTable);
