// Put at the end of a report's page by browser_test.sh: uses the page as people do, and leaves what it found as the
// attribute data-result of the document's element.
setTimeout(async () => {
  const faults = window.faults;
  const expect = (holds, what) => { if (!holds) faults.push(what); };
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const move = (target, x, y, type = "pointermove") => {
    const box = target.getBoundingClientRect();
    target.dispatchEvent(new PointerEvent(type, { clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerId: 1 }));
  };
  const classes = Number(document.documentElement.dataset.classes);

  expect(document.documentElement.scrollWidth <= window.innerWidth, `wider than the window: ${document.documentElement.scrollWidth}`);
  const ground = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  expect(dark === (ground[0] < 128), `ground ${ground} where dark is ${dark}`);
  expect(all("script").length === 6 + 1 + 3, `${all("script").length} scripts: a text became one`);
  for (const part of ["h1", ".subtitle", ".tile", ".facts", ".note.warning", ".option", "#curves", "#confusions", "#classes", "#hardest", "#recipe pre"]) {
    expect(all(part).length > 0, "missing: " + part);
  }
  for (const box of all(".card, .tile, .plot, canvas, .picture")) {
    const { width, height, left, right } = box.getBoundingClientRect();
    expect(width > 50 && height > 20 && left >= 0 && right <= window.innerWidth + 1, `misplaced: ${box.className || box.tagName} ${width} x ${height} from ${left}`);
  }
  for (const option of all(".option")) expect(option.getClientRects().length === 1, "a line ends in " + option.textContent);
  for (const image of all("img")) expect(image.complete && image.naturalWidth > 0, "an image that cannot be read");

  const charts = all(".chart");
  expect(charts.length === 6, `${charts.length} charts`);
  for (const chart of charts) {
    expect(chart.querySelectorAll("path.line").length > 0 && !/NaN|Infinity/.test(chart.innerHTML), "no line in " + chart.id);
    move(chart.querySelector(".plot"), 1, 0.5);
    const tip = chart.querySelector(".tip");
    expect(tip && /(step|epoch) [\d–]+.*\d/.test(tip.textContent), `tip of ${chart.id}: ${tip && tip.textContent}`);
    if (tip) {
      const box = tip.getBoundingClientRect();
      expect(box.left >= 0 && box.right <= window.innerWidth, "a tip outside of the window in " + chart.id);
    }
    move(chart.querySelector(".plot"), 0.5, 0.5, "pointerleave");
    expect(!chart.querySelector(".tip"), "the tip stays in " + chart.id);
  }
  expect(document.querySelector("#accuracy .mark"), "the best epoch is not marked");

  const canvas = document.querySelector(".matrix canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  for (let i = 0; i < pixels.length; i += 4) colours.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]);
  expect(colours.size > 4, `the matrix has ${colours.size} colours`);
  const readout = document.querySelector(".readout");
  move(canvas, 0.999, 0.999);
  expect(/^0 of \d+ clips of “.*” were recognised \(0\.0 %\)\.$/.test(readout.textContent), "last cell: " + readout.textContent);
  document.querySelector(".pairs li").click();
  const pair = document.querySelector(".pairs li");
  const count = pair.querySelector("small").textContent.split(" ")[0];
  expect(readout.textContent.startsWith(count + " of ") && readout.textContent.includes("taken for"), "pair: " + readout.textContent);
  if (classes > 6) {
    const drawn = () => Number(canvas.dataset.drawn);
    document.querySelector('[data-zoom="all"]').click();
    expect(drawn() === classes, `all: ${drawn()}`);
    document.querySelector('[data-zoom="in"]').click();
    expect(drawn() === classes / 2, `zoomed in: ${drawn()}`);
    for (let i = 0; i < 12; ++i) document.querySelector('[data-zoom="in"]').click();
    expect(drawn() === 6, `zoomed in as far as can be: ${drawn()}`);
    document.querySelector('[data-zoom="out"]').click();
    expect(drawn() === 12, `zoomed out: ${drawn()}`);
  }

  const rows = () => all("#classes tbody tr").filter((row) => !row.hidden);
  const recalls = () => rows().map((row) => Number(row.cells[1].dataset.value));
  expect(rows().length === classes, `${rows().length} rows`);
  const [, recallHead] = all("#classes th button");
  recallHead.click();
  expect(recalls().every((value, i, list) => i === 0 || value <= list[i - 1]), "not sorted downwards");
  recallHead.click();
  expect(recalls().every((value, i, list) => i === 0 || value >= list[i - 1]), "not sorted upwards");
  const search = document.querySelector("#classes input");
  search.value = "ALERT(1)";
  search.dispatchEvent(new Event("input"));
  expect(rows().length === 1 && rows()[0].cells[0].textContent === "<script>alert(1)<\/script>", "the search found " + rows().length);

  document.querySelector("summary").click();
  expect(document.querySelector("pre").textContent.includes('"<\/script><script>alert(2)<\/script>"'), "the recipe");
  document.documentElement.dataset.result = faults.length ? faults.join("; ") : `passed at ${window.innerWidth}`;
}, 300);
