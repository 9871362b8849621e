// usage: node bundle.mjs FOLDER
// Writes FOLDER/page_head.html and page_tail.html: page.html with the bundled style and script in
// place, cut where the data goes. The libraries are in FOLDER/node_modules.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const source = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2];
const { buildSync } = createRequire(join(folder, "package.json"))("esbuild");

const { outputFiles } = buildSync({
  absWorkingDir: source,
  entryPoints: ["src/main.ts"],
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "iife",
  target: ["chrome103", "firefox113", "safari16.4"],
  legalComments: "inline",
  nodePaths: [join(folder, "node_modules")],
  outdir: folder,
  write: false,
});
const bundled = (ending) => outputFiles.find((file) => file.path.endsWith(ending)).text;

// They ask to be where their code is. A comment must not hold what ends one.
const { dependencies } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
const licences = Object.keys(dependencies)
  .map((name) => `${name}\n${readFileSync(join(folder, "node_modules", name, "LICENSE"), "utf8")}`)
  .join("\n")
  .replaceAll("--", "- -");

// A function as the second argument: "$" means nothing in what it returns.
const page = readFileSync(join(source, "page.html"), "utf8")
  .replace("/*LICENCES*/", () => licences)
  .replace("/*STYLE*/", () => bundled(".css"))
  .replace("/*SCRIPT*/", () => bundled(".js"));
const [head, tail] = page.split("<!--DATA-->");
writeFileSync(join(folder, "page_head.html"), head);
writeFileSync(join(folder, "page_tail.html"), tail);
