// speedscope, as npm has it, opens what `cowscope export --format speedscope` writes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";

import { build, cowscope, inFolder, launch, record, require, screenshots } from "./support.mjs";

const { report, trace } = record("speedscope", [
  join(build, "string_map"), "--entries", "20000", "--unique", "1000", "--children", "2", "--values", "refcounted",
]);
const profile = inFolder("profile.json");
execFileSync(cowscope, ["export", trace, "--format", "speedscope", "-o", profile]);

// It fetches what it is told to open, which a page of a file may not.
const release = join(dirname(require.resolve("speedscope/package.json")), "dist", "release");
const types = { html: "text/html", js: "text/javascript", css: "text/css", json: "application/json" };
const server = createServer((request, response) => {
  const name = decodeURIComponent(new URL(request.url, "http://here").pathname.slice(1));
  try {
    const content = readFileSync(name === "profile.json" ? profile : join(release, name));
    response.writeHead(200, { "content-type": types[name.split(".").pop()] ?? "application/octet-stream" });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const address = `http://127.0.0.1:${server.address().port}`;

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
const errors = [];
page.on("pageerror", (error) => errors.push(String(error)));
await page.goto(`${address}/index.html#profileURL=${encodeURIComponent(address + "/profile.json")}`);
await page.waitForFunction((name) => document.title.startsWith(name), JSON.parse(readFileSync(profile)).name);
// One profile for all, and one for each process that copied.
const copying = report.processes.filter((process) => process.copied_pages > 0).length;
await page.getByText(`all processes (1/${copying + 1})`).waitFor();
await page.screenshot({ path: join(screenshots, "speedscope.png") });

await page.getByText("Sandwich").click();
await page.getByText("Symbol Name").waitFor();
const rows = await page.evaluate(() =>
  [...document.querySelectorAll("tr")].map((row) => [...row.cells].map((cell) => cell.innerText.trim())));
const units = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };
const weights = new Map();
for (const [, self, name] of rows) {
  const weight = /^([0-9.]+) (B|KB|MB|GB)\b/.exec(self);
  if (weight) weights.set(name, weight[1] * units[weight[2]]);
}
for (const { cause, bytes } of report.causes) {
  const shown = weights.get(`[${cause}]`);
  assert.ok(Math.abs(shown - bytes) <= 0.005 * bytes, `${cause}: speedscope has ${shown}, the report ${bytes}`);
}
assert.ok([...weights.keys()].some((name) => name.endsWith("::read_by_key")), [...weights.keys()].join(", "));
await page.screenshot({ path: join(screenshots, "speedscope-sandwich.png") });
assert.deepEqual(errors, []);
await browser.close();
server.close();
console.log(`${rows.length} rows, ${report.totals.copied_bytes} bytes`);
