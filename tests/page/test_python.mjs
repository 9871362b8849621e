// The page of a Python program, held against the JSON report of the same trace.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { join } from "node:path";
import * as s from "./support.mjs";

const python = process.env.COWSCOPE_PYTHON || "/usr/bin/python3";
if (!existsSync(python)) s.skip(`no ${python}`);
const { report, page: file } = s.record("python", [python, join(s.source, "workloads/python/string_map.py"), "--entries", "200000", "--processes", "3"]);
const totals = report.totals;
const forks = report.processes.filter((process) => process.role === "fork");
const heaviest = [...forks].sort((a, b) => b.copied_pages - a.copied_pages)[0];

let browser, opened, page;
before(async () => {
  browser = await s.launch();
  opened = await s.open(browser, file);
  page = opened.page;
});
after(async () => {
  await browser.close();
});

test("the headline says how much, by whom, why, whose and how far it is explained", async () => {
  const text = await page.innerText("#headline");
  assert.ok(text.includes(s.mebibytes(totals.copied_pages)), text);
  assert.ok(text.includes(s.grouped(totals.copied_pages)));
  assert.ok(text.includes(report.causes[0].cause));
  assert.ok(text.includes("a reference count was raised or lowered"));
  assert.ok(text.includes("__main__.global_map (dict values)"));
  assert.ok(text.includes("read_map (string_map.py:"));
  assert.ok(text.includes(`of ${report.processes.length} processes`));
  assert.ok(text.includes("sys.intern"));
  assert.equal(await page.title(), `${report.command.join(" ")} – cowscope`);
});

test("causes, types and owners are the report's", async () => {
  const names = (rows) => rows.map((row) => [row[0].split("\n")[0], row[1]]);
  const causes = names(await s.cells(page, "#causes"));
  assert.deepEqual(causes, report.causes.map((cause) => [cause.cause, s.grouped(cause.pages)]));
  const types = names(await s.cells(page, "#types"));
  const str = report.causes.flatMap((cause) => cause.types).filter((type) => type.type === "str");
  assert.deepEqual(types[0], ["str", s.grouped(str.reduce((sum, type) => sum + type.pages, 0))]);
  await s.showAll(page, "#owners");
  const owners = new Map(names(await s.cells(page, "#owners")));
  assert.equal(owners.size, report.owners.length);
  for (const owner of report.owners) assert.equal(owners.get(owner.owner), s.grouped(owner.pages));
});

test("a click on a heading sorts", async () => {
  const heading = page.locator("#causes th", { hasText: "Cause" });
  await heading.getByRole("button").click();
  assert.equal(await heading.getAttribute("aria-sort"), "ascending");
  const names = (await s.cells(page, "#causes")).map((row) => row[0].split("\n")[0]);
  assert.deepEqual(names, [...names].sort((a, b) => a.localeCompare(b)));
  await page.locator("#causes th", { hasText: "Pages" }).getByRole("button").click();
  assert.equal(await heading.getAttribute("aria-sort"), null);
  const pages = (await s.cells(page, "#causes")).map((row) => Number(row[1].replaceAll(",", "")));
  assert.deepEqual(pages, [...pages].sort((a, b) => b - a));
});

test("the timeline draws each process, or their sum", async () => {
  await page.locator("#timeline canvas").first().waitFor();
  const blue = [0x44, 0x77, 0xaa];
  assert.ok((await s.pixelsOf(page, "#timeline canvas", blue)) > 0.0005);
  const series = () => page.locator("#timeline .u-series").count();
  const copying = report.processes.filter((process) => process.copied_pages > 0).length;
  assert.equal(await series(), 1 + 2 * copying);
  await page.locator("#timeline").getByRole("button", { name: "Sum" }).click();
  assert.equal(await series(), 3);
  await page.locator("#timeline summary").click();
  const rows = await s.cells(page, "#timeline table:not(.u-legend)");
  const copied = new Map(rows.map((row) => [Number(row[0]), row[3]]));
  for (const process of forks) assert.equal(copied.get(process.pid), s.grouped(process.copied_pages));
});

test("the flame graph searches, zooms, inverts, and tells Python from native", async () => {
  const flame = page.locator("#flame");
  const box = (name) => flame.getByRole("treeitem", { name }).first();
  await page.fill("#flame-search", "read_map");
  const share = parseFloat((await page.innerText("#flame-found")).replace(/[^0-9.]/g, ""));
  const inReadMap = report.sites.filter((site) => site.python.some((frame) => frame.function === "read_map"));
  const expected = inReadMap.reduce((sum, site) => sum + site.pages, 0) / totals.copied_pages;
  assert.ok(Math.abs(share - expected * 100) < 1, `${share} % for ${expected}`);
  assert.ok((await flame.locator(".frame.match").count()) >= 1);
  await page.fill("#flame-search", "");
  assert.equal(await flame.locator(".frame.match").count(), 0);

  // Interpreter frames show where native ones are asked for, and only there.
  const interpreter = /_PyEval_EvalFrameDefault|PyEval_EvalCode|Py_BytesMain|Py_RunMain/;
  assert.equal(await flame.getByRole("treeitem", { name: interpreter }).count(), 0);
  await flame.getByRole("button", { name: "Native" }).click();
  assert.ok((await flame.getByRole("treeitem", { name: interpreter }).count()) > 0);
  assert.equal(await flame.locator(".frame.python").count(), 0);
  await flame.getByRole("button", { name: "Python" }).click();
  assert.ok((await flame.locator(".frame.python").count()) > 3);
  assert.equal(await flame.locator(".frame.native:not(.all)", { hasNotText: "(" }).count(), 0);

  await page.check("#flame-inverted");
  const second = flame.locator(".frame[aria-level='2']").first();
  assert.match(await second.innerText(), /^read_map \(string_map\.py:\d+\)$/);
  await page.uncheck("#flame-inverted");

  const whole = (await flame.locator(".frame.all").boundingBox()).width;
  const worker = box(/^worker \(pool\.py/);
  const narrow = (await worker.boundingBox()).width;
  await worker.click();
  assert.ok((await box(/^worker \(pool\.py/).boundingBox()).width > narrow || narrow > 0.99 * whole);
  assert.ok((await box(/^worker \(pool\.py/).boundingBox()).width > 0.99 * whole);
  await flame.getByRole("button", { name: "Show all" }).click();
  assert.equal(Math.round((await box(/^worker \(pool\.py/).boundingBox()).width), Math.round(narrow));
});

test("the flame graph works from the keyboard", async () => {
  await page.locator("#flame .frame.all").focus();
  await page.keyboard.press("ArrowDown");
  const level = () => page.evaluate(() => document.activeElement.getAttribute("aria-level"));
  assert.equal(await level(), "2");
  const name = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), name);
  assert.ok((await page.innerText(".flame-info")).length > 0);
  await page.keyboard.press("Escape");
  assert.equal(await level(), "1");
});

test("the map shows the process's pages in the colours of their causes", async () => {
  await page.locator("#map details summary").click();
  await s.showAll(page, "#map details");
  const rows = await s.cells(page, "#map details");
  const sum = (column) => rows.reduce((total, row) => total + Number(row[column].replaceAll(",", "")), 0);
  assert.ok(s.isNearlyAllInherited(sum(2), heaviest), `${sum(2)} pages for ${heaviest.inherited_pages}`);
  assert.equal(sum(3), heaviest.copied_pages);
  assert.ok((await page.innerText("#map-range")).includes(`Process ${heaviest.pid}`));
  const share = heaviest.copied_pages / heaviest.inherited_pages;
  const orange = await s.pixelsOf(page, "#map-canvas", s.refcountColor);
  assert.ok(orange > 0.35 * share && orange < 1.1 * share, `${orange} of the map for ${share} of the pages`);
});

test("the map zooms to single pages, and its squares lead to the site", async () => {
  const regions = await page.$$eval("#map-region option", (options) => options.map((option) => option.value));
  await page.selectOption("#map-region", regions[1]);
  const canvas = page.locator("#map-canvas");
  await canvas.focus();
  for (let i = 0; i < 12 && !(await page.locator("#map").getByRole("button", { name: "Zoom in" }).isDisabled()); ++i) {
    await page.keyboard.press("+");
  }
  assert.match(await page.innerText("#map-range"), /: \d\d pages of [\d,]+, one to a square$/);
  // The largest region holds the strings: somewhere near there is one.
  let text = "";
  for (let i = 0; i < 400 && !/ of str.*global_map/.test(text); ++i) {
    await page.keyboard.press("ArrowRight");
    text = await page.innerText("#map-info");
  }
  assert.match(text, /^0x[0-9a-f]+000 copied; in /);
  assert.match(text, /refcount of str.*global_map \(dict values\).*read_map \(string_map\.py:\d+\)/s);
  await page.locator("#map-info button.link").first().click();
  const details = await page.locator("#sites tr.details").innerText();
  assert.ok(details.includes(report.sites[0].evidence), details);
  assert.ok(details.includes(report.sites[0].instruction));
  await canvas.focus();
  await page.keyboard.press("Escape");
  const [, shown, all] = (await page.innerText("#map-range")).match(/: ([\d,]+) pages of ([\d,]*\d)/);
  assert.equal(shown, all);
  await canvas.hover({ position: { x: 40, y: 40 } });
  assert.ok(await page.locator("#map-tip").isVisible());
  await page.selectOption("#map-process", "1");
  assert.ok(!(await page.innerText("#map-range")).includes(`Process ${heaviest.pid}`));
});

test("sites filter and open", async () => {
  await page.fill("#sites-filter", "read_map");
  const rows = await s.cells(page, "#sites");
  assert.equal(rows[0][1], s.grouped(report.sites[0].pages));
  for (const row of rows.slice(0, 3)) assert.ok(row.length === 8);
  await page.fill("#sites-filter", "no such site");
  assert.equal((await s.cells(page, "#sites")).length, 0);
  await page.fill("#sites-filter", "");
  await s.showAll(page, "#sites");
  assert.equal((await s.cells(page, "#sites")).length, report.sites.length);
});

test("the process tree holds every process under its parent", async () => {
  const rows = await s.cells(page, "#processes");
  assert.equal(rows.length, report.processes.length);
  for (const process of report.processes) {
    const row = rows.find((each) => each[0].includes(String(process.pid)));
    assert.ok(row[0].startsWith(process.role === "root" ? "level 1" : "level 2"), row[0]);
    if (process.copied_pages > 256) assert.equal(row[5], s.mebibytes(process.copied_pages));
  }
});

test("light and dark, narrow and on paper", async () => {
  await s.checkLooks(browser, file, "python");
});

test("nothing went wrong on the way", () => {
  assert.deepEqual(opened.errors, []);
});
