// What the tests of the page share: recording a program, and a browser that fails a test at the
// first error on the console and at any request beyond the page itself.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const source = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const build = process.env.COWSCOPE_BUILD_DIR ?? join(source, "build");
// Looked at by people.
export const screenshots = join(build, "tests", "page", "screenshots");
export const require = createRequire(join(build, "tests", "page", "package.json"));
const { chromium } = require("playwright-core");

const browsers = [process.env.COWSCOPE_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const program = browsers.find((path) => path && existsSync(path));
// CTest counts a test that prints this as skipped.
if (!program) {
  console.log("SKIPPED: no Chromium here (Debian's package chromium, or COWSCOPE_CHROMIUM)");
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "cowscope-page-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
mkdirSync(screenshots, { recursive: true });

export const inFolder = (name) => join(folder, name);
export const cowscope = join(build, "cowscope");

export function skip(reason) {
  console.log(`SKIPPED: ${reason}`);
  process.exit(0);
}

// `forks`: of a program without a fork nothing is tracked, on any machine. `options`: of record.
export function record(name, command, { forks = true, options = [] } = {}) {
  const trace = inFolder(name + ".cow");
  execFileSync(cowscope, ["record", "--quiet", ...options, "-o", trace, "--", ...command], { stdio: ["ignore", "ignore", "inherit"] });
  const json = execFileSync(cowscope, ["report", trace, "--format", "json"], { maxBuffer: 1 << 30 });
  const report = JSON.parse(json);
  if (forks && (report.witness !== "trap" || report.tracker === "off")) {
    skip(`this machine allows tracker ${report.tracker} and witness ${report.witness} only (cowscope doctor)`);
  }
  return { trace, report, ...writePage(name, [trace]) };
}

function writePage(name, words) {
  const page = inFolder(name + ".html");
  const made = spawnSync(cowscope, ["html", ...words, "-o", page], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  assert.equal(made.stdout, "");
  assert.ok(made.stderr.includes(page), made.stderr);
  return { page, bytes: statSync(page).size };
}

// The page of two recordings, and what `cowscope diff` says of them.
export function compare(name, before, after) {
  const diff = (...options) => execFileSync(cowscope, ["diff", before.trace, after.trace, ...options], { encoding: "utf8", maxBuffer: 1 << 30 });
  return { diff: JSON.parse(diff("--format", "json")), text: diff(), ...writePage(name, ["--diff", before.trace, after.trace]) };
}

export async function launch() {
  // Chromium's own sandbox does not work for root.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: program, args });
}

// Opens a page; `opened.errors` must stay empty.
export async function open(browser, file, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => {
    if (request.url() !== "file://" + file && !request.url().startsWith("data:")) errors.push("asked for " + request.url());
  });
  await page.goto("file://" + file);
  await page.waitForSelector("html[data-ready]");
  const milliseconds = await page.evaluate(() => performance.now());
  return { page, errors, milliseconds, close: () => context.close() };
}

export const grouped = (value) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
// As the page and the text report write sizes below a GiB.
export const sizeText = (pages) => (Math.round(pages) < 256 ? `${Math.round(pages) * 4} KiB` : mebibytes(Math.round(pages)));
export const mebibytes = (pages) => `${(pages / 256).toFixed(1)} MiB`;

// The texts of a table's cells, row by row.
export async function cells(page, selector) {
  return page.$$eval(`${selector} tbody tr:not(.details)`, (rows) =>
    rows.map((row) => [...row.children].map((cell) => cell.innerText.trim())),
  );
}

// Shows every row of a table.
export async function showAll(page, selector) {
  const more = page.locator(`${selector} button.more`);
  while (await more.isVisible()) await more.click();
}

// How many pixels of a canvas have a colour (within rounding).
export async function pixelsOf(page, selector, color) {
  return page.$eval(
    selector,
    (canvas, [r, g, b]) => {
      // Read from a copy: a canvas that is read twice draws a warning.
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
      copy.drawImage(canvas, 0, 0);
      const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 6 && data[i + 3] > 250) ++count;
      }
      return count / (data.length / 4);
    },
    color,
  );
}

// The list of inherited pages is made after the first copies, up to 64 of them (docs/architecture.md).
export const isNearlyAllInherited = (pages, process) => pages >= process.inherited_pages && pages <= process.inherited_pages + 64;

export const refcountColor = [0xd5, 0x5e, 0x00];

// Rules of WCAG 2 A and AA that a program can check.
export async function checkAccessible(page) {
  await page.evaluate(require("axe-core").source);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
    return violations.map((each) => `${each.id}: ${each.help}: ${each.nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
  });
  assert.deepEqual(found, []);
}

// A page of the Python workload, light and dark, narrow and on paper: each is a screenshot too.
// `prepare(page)` is done to each first.
export async function checkLooks(browser, file, name, prepare = async () => {}) {
  for (const [look, options] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["narrow", { colorScheme: "light", viewport: { width: 800, height: 900 } }],
  ]) {
    const { page, errors, close } = await open(browser, file, options);
    const brightness = () => page.evaluate(() => Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0]));
    assert.equal((await brightness()) < 128, look === "dark");
    await prepare(page);
    await page.waitForTimeout(200);
    await page.screenshot({ path: `${screenshots}/${name}-${look}.png`, fullPage: true });
    assert.ok(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)), `${look}: the page scrolls sideways`);
    await checkAccessible(page);
    // While boxes are dimmed.
    await page.fill("#flame-search", "read_map");
    await page.locator("#flame .frame[aria-level='4']").first().click();
    assert.ok((await page.locator("#flame .frame.above.miss").count()) > 0);
    await checkAccessible(page);
    if (look === "light") {
      await page.click("#theme");
      assert.ok((await brightness()) < 128);
      await page.emulateMedia({ media: "print" });
      await page.waitForTimeout(200);
      assert.ok((await brightness()) > 128, "paper is light");
      assert.equal(await page.getAttribute("html", "data-theme"), "light");
      await page.screenshot({ path: `${screenshots}/${name}-print.png`, fullPage: true });
    }
    assert.deepEqual(errors, []);
    await close();
  }
}
