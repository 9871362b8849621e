// The map of the memory that a process shared at its fork: every page in the colour of the cause
// that copied it.
import { causeColor, causeLabel, causeNames } from "./causes";
import { ProcessPages, Run } from "./data";
import { append, element, section } from "./dom";
import { addressText, counted, grouped, sizeText } from "./format";
import { causesOf, PageMap } from "./map_model";
import { regionName, regionTable } from "./map_regions";
import { placeOf } from "./place";
import { onThemeChange, styleColor } from "./theme";

const cellSizes = [64, 48, 36, 28, 22, 18, 14, 12, 10, 8, 7, 6, 5, 4];
const mapHeight = 336;
const stripHeight = 40;
const zoomStep = 4;

export function mapSection(run: Run, revealSite: (place: number) => void): HTMLElement | null {
  const report = run.report;
  const choices = run.processes
    .filter((each) => each.starts.length > 0)
    .sort((a, b) => b.process.copied_pages - a.process.copied_pages);
  if (choices.length === 0) return null;

  const size = (pages: number) => sizeText(pages * report.page_size);
  let map: PageMap;
  let shownProcess: ProcessPages;
  // What the map shows: pages [first, first + count), some of them to a cell.
  let first = 0;
  let count = 0;
  let perCell = 1;
  let cell = 20; // pixels
  let columns = 1;
  let cells = 1;
  let cursor = 0; // a cell
  let hovered: number | null = null;

  const canvas = element("canvas", {
    id: "map-canvas",
    tabindex: 0,
    role: "application",
    "aria-label": "Map of the inherited pages",
    "aria-describedby": "map-help map-info",
  });
  const strip = element("canvas", { class: "strip", id: "map-strip", "aria-hidden": "true" });
  const info = element("div", { class: "map-info", id: "map-info", role: "status" });
  const range = element("span", { id: "map-range", role: "status" });
  const tip = element("div", { class: "tip", id: "map-tip", hidden: true, "aria-hidden": "true" });

  function prepare(target: HTMLCanvasElement, height: number): [CanvasRenderingContext2D, number] {
    const width = Math.max(200, target.parentElement!.clientWidth);
    const ratio = window.devicePixelRatio || 1;
    target.width = Math.round(width * ratio);
    target.height = Math.round(height * ratio);
    target.style.width = `${width}px`;
    target.style.height = `${height}px`;
    const context = target.getContext("2d")!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return [context, width];
  }

  function draw(): void {
    if (canvas.parentElement!.clientWidth === 0) return;
    const width = Math.max(200, canvas.parentElement!.clientWidth);
    const room = (pixels: number) => Math.floor(width / pixels) * Math.floor(mapHeight / pixels);
    cell = cellSizes.find((pixels) => room(pixels) >= count) ?? cellSizes[cellSizes.length - 1];
    perCell = Math.max(1, Math.ceil(count / room(cell)));
    columns = Math.floor(width / cell);
    cells = Math.ceil(count / perCell);
    cursor = Math.min(cursor, cells - 1);
    // Always as high: what is below must not jump at each step of the zoom.
    const [context] = prepare(canvas, mapHeight);
    const gap = cell >= 7 ? 1 : cell >= 5 ? 0.5 : 0;
    const neutral = styleColor("--inherited");
    map.forEachCell(first, perCell, first + count, (index, content) => {
      const x = (index % columns) * cell;
      const y = Math.floor(index / columns) * cell;
      const side = cell - gap;
      const { copied, main } = causesOf(content, run.kinds);
      context.fillStyle = neutral;
      context.fillRect(x, y, side, side);
      if (copied === 0) return;
      // As high as the share that was copied, and never nothing.
      const filled = Math.max(1, (side * copied) / content.pages);
      context.fillStyle = causeColor(main);
      context.fillRect(x, y + side - filled, side, filled);
    });
    outline(context, cursor, styleColor("--text"), document.activeElement === canvas);
    if (hovered !== null && hovered < cells) outline(context, hovered, styleColor("--text"), true);
    drawStrip();
    const end = first + count;
    range.textContent =
      `Process ${shownProcess.process.pid}: ${counted(count, "page")} of ${grouped(map.count)}` + (perCell > 1 ? `, ${grouped(perCell)} to a square` : ", one to a square");
    zoomOut.disabled = count >= map.count;
    zoomIn.disabled = perCell === 1 && count <= 64;
    earlier.disabled = first === 0;
    later.disabled = end >= map.count;
    canvas.setAttribute("aria-label", `Map of the inherited pages. ${range.textContent}`);
  }

  function outline(context: CanvasRenderingContext2D, index: number, color: string, really: boolean): void {
    if (!really) return;
    const x = (index % columns) * cell;
    const y = Math.floor(index / columns) * cell;
    context.strokeStyle = styleColor("--background");
    context.lineWidth = 4;
    context.strokeRect(x, y, cell - 1, cell - 1);
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.strokeRect(x, y, cell - 1, cell - 1);
  }

  function drawStrip(): void {
    const [context, width] = prepare(strip, stripHeight);
    const inner = 14;
    const top = 6;
    // Whole columns of pixels, each with as many pages as the others.
    const whole = Math.max(1, Math.ceil(map.count / width));
    const x = (ordinal: number) => Math.round((ordinal / map.count) * width);
    map.forEachCell(0, whole, map.count, (index, content) => {
      const { copied, main } = causesOf(content, run.kinds);
      const from = x(index * whole);
      const to = x(index * whole + content.pages);
      context.fillStyle = styleColor("--inherited");
      context.fillRect(from, top, to - from, inner);
      if (copied === 0) return;
      const filled = Math.max(1, Math.round((inner * copied) / content.pages));
      context.fillStyle = causeColor(main);
      context.fillRect(from, top + inner - filled, to - from, filled);
    });
    // Names of the regions that have room for one.
    context.fillStyle = styleColor("--dim");
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    for (const region of map.regions) {
      const name = regionName(region);
      const from = x(region.first);
      if (x(region.last) - from < context.measureText(name).width + 6) continue;
      context.fillRect(from, top + inner, 1, 8);
      context.fillText(name, from + 4, stripHeight - 4);
    }
    context.strokeStyle = styleColor("--text");
    context.lineWidth = 2;
    const from = (first / map.count) * width;
    const to = ((first + count) / map.count) * width;
    context.strokeRect(Math.min(from + 1, width - 4), 2, Math.max(3, to - from - 2), inner + 8);
  }

  function cellPages(index: number): [number, number] {
    const from = first + index * perCell;
    return [from, Math.min(from + perCell, first + count)];
  }

  // In a few lines for the tip, in full below the map.
  function describe(index: number): void {
    const [from, end] = cellPages(index);
    const content = map.content(from, end);
    const { copied, causes } = causesOf(content, run.kinds);
    const address = addressText(map.pageOf(from), report.page_size);
    const region = map.regionOf(from);
    const what =
      content.pages === 1
        ? copied === 1 ? "copied" : "inherited, not copied"
        : `${counted(content.pages, "page")}, ${grouped(copied)} copied`;
    const head = element("p", {}, element("strong", {}, element("code", {}, address)), ` ${what}; in `, element("span", { title: region?.name ?? "" }, regionName(region) || "no known mapping"));
    info.replaceChildren(head);
    if (content.pages > 1 && copied > 0) {
      const line = element("p", {});
      for (const [cause, pages] of [...causes].sort((a, b) => b[1] - a[1])) append(line, causeLabel(cause), ` ${grouped(pages)}  `);
      append(info, line);
    }
    // The kinds with the most pages here.
    const kinds = [...content.kinds].filter(([kind]) => kind !== 0).sort((a, b) => b[1] - a[1]);
    const list = element("ul");
    for (const [id, pages] of kinds.slice(0, 3)) {
      const kind = run.kinds[id];
      const site = kind.site < 0 ? null : report.sites[kind.site];
      const line = element("li", {}, causeLabel(kind.cause));
      if (kind.type !== "") append(line, " of ", element("strong", {}, kind.type));
      if (site && site.examples.length > 0 && kind.type === site.type) append(line, ", such as ", element("code", {}, site.examples[0]));
      if (kind.owner !== "") append(line, "; owner ", element("code", {}, kind.owner));
      if (site) {
        const link = element("button", { type: "button", class: "link" }, placeOf(site));
        link.addEventListener("click", () => revealSite(kind.site));
        append(line, "; written by ", link, site.instruction && element("code", { class: "dim" }, ` ${site.instruction}`));
      }
      if (content.pages > 1) append(line, ` — ${counted(pages, "page")}`);
      append(list, line);
    }
    if (kinds.length > 3) append(list, element("li", {}, `… and ${kinds.length - 3} more kinds of write`));
    if (kinds.length > 0) append(info, list);
  }

  function showTip(event: PointerEvent, index: number): void {
    const [from, end] = cellPages(index);
    const content = map.content(from, end);
    const { copied, main } = causesOf(content, run.kinds);
    tip.replaceChildren(element("div", {}, element("code", {}, addressText(map.pageOf(from), report.page_size)), content.pages > 1 ? ` ${counted(content.pages, "page")}, ${grouped(copied)} copied` : ""));
    const kinds = [...content.kinds].filter(([kind]) => kind !== 0).sort((a, b) => b[1] - a[1]);
    if (kinds.length === 0) append(tip, element("div", {}, "inherited, not copied"));
    else {
      const kind = run.kinds[kinds[0][0]];
      append(tip, element("div", {}, causeLabel(main), kind.type && ` of ${kind.type}`));
      if (kind.owner) append(tip, element("div", {}, kind.owner));
      if (kind.site >= 0) append(tip, element("div", {}, placeOf(report.sites[kind.site])));
    }
    tip.hidden = false;
    const box = canvas.parentElement!.getBoundingClientRect();
    const x = event.clientX - box.left;
    const right = x > box.width / 2;
    tip.style.left = right ? "auto" : `${x + 14}px`;
    tip.style.right = right ? `${box.width - x + 14}px` : "auto";
    tip.style.top = `${event.clientY - box.top + 14}px`;
  }

  function show(from: number, pages: number): void {
    count = Math.max(1, Math.min(map.count, Math.round(pages)));
    first = Math.max(0, Math.min(map.count - count, Math.round(from)));
    hovered = null;
    tip.hidden = true;
    if (count === map.count) regions.value = "-1";
    draw();
    describe(cursor);
  }

  // Keeps what is under the cursor under it.
  function zoomAt(index: number, factor: number): void {
    const [from, end] = cellPages(index);
    const middle = (from + end) / 2;
    const pages = Math.max(Math.min(48, map.count), count / factor);
    show(middle - pages / 2, pages);
    const ordinal = Math.floor(middle);
    cursor = Math.max(0, Math.min(cells - 1, Math.floor((ordinal - first) / perCell)));
    draw();
    describe(cursor);
  }

  function cellAt(event: PointerEvent | MouseEvent): number | null {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / cell);
    const index = Math.floor((event.clientY - box.top) / cell) * columns + column;
    return column >= 0 && column < columns && index >= 0 && index < cells ? index : null;
  }

  canvas.addEventListener("pointermove", (event) => {
    const index = cellAt(event);
    if (index !== hovered) {
      hovered = index;
      draw();
      if (index !== null) describe(index);
    }
    if (index === null) tip.hidden = true;
    else showTip(event, index);
  });
  canvas.addEventListener("pointerleave", () => {
    hovered = null;
    tip.hidden = true;
    draw();
  });
  canvas.addEventListener("click", (event) => {
    const index = cellAt(event);
    if (index === null) return;
    cursor = index;
    if (zoomIn.disabled) describe(index);
    else zoomAt(index, zoomStep);
  });
  canvas.addEventListener("focus", () => {
    draw();
    describe(cursor);
  });
  canvas.addEventListener("blur", draw);
  canvas.addEventListener("wheel", (event) => {
    // Without Ctrl the wheel scrolls the page.
    if (!event.ctrlKey) return;
    event.preventDefault();
    const index = cellAt(event);
    if (index !== null) zoomAt(index, event.deltaY < 0 ? 1.5 : 1 / 1.5);
  }, { passive: false });

  const moveCursor = (step: number) => {
    const next = cursor + step;
    if (next >= 0 && next < cells) {
      cursor = next;
    } else if (next < 0 && first > 0) {
      show(first - count / 2, count);
    } else if (next >= cells && first + count < map.count) {
      show(first + count / 2, count);
    }
    draw();
    describe(cursor);
  };
  canvas.addEventListener("keydown", (event) => {
    const actions: Record<string, () => void> = {
      ArrowLeft: () => moveCursor(-1),
      ArrowRight: () => moveCursor(1),
      ArrowUp: () => moveCursor(-columns),
      ArrowDown: () => moveCursor(columns),
      PageUp: () => show(first - count, count),
      PageDown: () => show(first + count, count),
      Home: () => show(0, count),
      End: () => show(map.count, count),
      Enter: () => zoomAt(cursor, zoomStep),
      "+": () => zoomAt(cursor, zoomStep),
      "-": () => zoomAt(cursor, 1 / zoomStep),
      Escape: () => show(0, map.count),
      "0": () => show(0, map.count),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  });
  strip.addEventListener("click", (event) => {
    const box = strip.getBoundingClientRect();
    show(((event.clientX - box.left) / box.width) * map.count - count / 2, count);
  });

  const button = (text: string, label: string, action: () => void) => {
    const made = element("button", { type: "button", "aria-label": label, title: label }, text);
    made.addEventListener("click", action);
    return made;
  };
  const zoomIn = button("+", "Zoom in", () => zoomAt(cursor, zoomStep));
  const zoomOut = button("−", "Zoom out", () => zoomAt(cursor, 1 / zoomStep));
  const earlier = button("◂", "Lower addresses", () => show(first - count / 2, count));
  const later = button("▸", "Higher addresses", () => show(first + count / 2, count));
  const whole = button("Show all", "Show all pages", () => show(0, map.count));

  const processes = element("select", { id: "map-process" });
  choices.forEach((each, i) => {
    const { pid, role, copied_pages } = each.process;
    append(processes, element("option", { value: i }, `${pid} (${role}), ${size(copied_pages)} copied`));
  });
  const regions = element("select", { id: "map-region" });
  regions.addEventListener("change", () => {
    const region = map.regions[Number(regions.value)];
    if (region) show(region.first, region.last - region.first);
    else show(0, map.count);
  });

  const tableBox = element("div");
  function choose(index: number): void {
    shownProcess = choices[index];
    map = new PageMap(shownProcess);
    cursor = 0;
    const rows = map.regions.map((region) => {
      const content = map.content(region.first, region.last);
      const { copied, main } = causesOf(content, run.kinds);
      return { region, pages: content.pages, copied, main };
    });
    regions.replaceChildren(element("option", { value: -1 }, `All (${size(map.count)})`));
    [...rows]
      .sort((a, b) => b.pages - a.pages)
      .slice(0, 40)
      .forEach((row) =>
        append(regions, element("option", { value: map.regions.indexOf(row.region) }, `${regionName(row.region)} at ${addressText(row.region.start, report.page_size)} (${size(row.pages)})`)),
      );
    tableBox.replaceChildren(regionTable(rows, shownProcess.process.pid, report.page_size));
    show(0, map.count);
    info.replaceChildren(element("p", { class: "dim" }, "Point at a square, or go to the map with the Tab key and move with the arrow keys: what lies there is told here."));
  }
  processes.addEventListener("change", () => choose(Number(processes.value)));

  const box = element("div", { class: "map" }, canvas, tip);
  let width = 0;
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    draw();
  }).observe(box);
  onThemeChange(draw);
  choose(0);

  const legend = element(
    "p",
    { class: "legend" },
    element("span", { class: "cause" }, element("span", { class: "swatch inherited", "aria-hidden": "true" }), "inherited, not copied"),
    ...causeNames.filter((cause) => report.causes.some((each) => each.cause === cause)).map(causeLabel),
  );
  return section(
    "map",
    "Map of the memory",
    "Each square is a page that the process inherited (or several, filled as far as they were copied), from low addresses to high ones, without the gaps. Click or + to zoom in down to single pages; point at a square for the site and the object.",
    element(
      "div",
      { class: "controls" },
      element("label", { for: "map-process" }, "Process"),
      processes,
      element("label", { for: "map-region" }, "Region"),
      regions,
      element("span", { class: "choice" }, zoomOut, zoomIn, earlier, later),
      whole,
    ),
    element("p", { class: "small" }, range),
    legend,
    element("div", { class: "map" }, strip),
    box,
    element("p", { class: "unseen", id: "map-help" }, "Arrow keys move the cursor, plus or Enter zooms in, minus zooms out, Page Up and Page Down move on, Escape shows all. The table of regions below says the same in figures."),
    info,
    element("details", {}, element("summary", {}, "Regions as a table"), tableBox),
  );
}
