import "./style.css";
import { afterBound } from "./after_bound";
import { breakdown } from "./breakdown";
import { Diff, readPage, Report, Run } from "./data";
import { changeParts, changeTitle } from "./change";
import { append, element, section } from "./dom";
import { flameSection } from "./flame";
import { headline, pageHeader, runLines } from "./headline";
import { mapSection } from "./map";
import { sitesSection } from "./sites";
import { themeButton } from "./theme";
import { timelineSection } from "./timeline";
import { treeSection } from "./tree";

function notes(...reports: { report: Report; label: string }[]): HTMLElement | null {
  const list = element("ul");
  for (const { report, label } of reports) {
    for (const note of report.notes) append(list, element("li", {}, label + note));
  }
  return list.childElementCount === 0 ? null : section("notes", "Notes", "", list);
}

function words(isDiff: boolean): HTMLElement {
  const list = element("dl", { class: "words" });
  const word = (name: string, meaning: string) => append(list, element("dt", {}, name), element("dd", {}, meaning));
  word("inherited", "a page that parent and child shared at the fork");
  word("copied", "an inherited page that was written after the fork while it was still shared, so the kernel had to copy it");
  word("fresh", "a page that a process touched first after its fork: its own memory, no copy");
  word("site", "the instruction that wrote, with its stack");
  word("cause", "why the first write to the page happened");
  word("owner", "a variable through which the program reaches what was written");
  if (isDiff) {
    word("new, gone", "copied in one of the two runs only");
    word("same", "within a page and a hundredth: runs differ by so much by themselves");
  }
  return section("words", "Words", "", list);
}

type Parts = [string, HTMLElement | null][];

function show(title: string, header: HTMLElement, parts: Parts, page: HTMLElement): void {
  const links = element("ul");
  for (const [name, part] of parts) {
    if (part) append(links, element("li", {}, element("a", { href: "#" + part.id }, name)));
  }
  const navigation = element("nav", { "aria-label": "Parts of the page" }, links);
  document.title = `${title} – cowscope`;
  page.replaceChildren(
    element("a", { class: "skip", href: "#main" }, "Skip to the report"),
    element("header", {}, header, themeButton()),
    navigation,
    element("main", { id: "main" }, ...parts.map(([, part]) => part)),
  );
}

function showRun(run: Run, page: HTMLElement): void {
  const { report } = run;
  const sites = sitesSection(run);
  const parts: Parts = [
    ["Summary", headline(report)],
    ["Over time", timelineSection(run)],
    ["What", breakdown(report)],
    ["Flame graph", flameSection(run)],
    ["Map", mapSection(run, (place) => sites?.reveal(place))],
    ["Processes", treeSection({ report, caption: "Processes, each under its parent" })],
    ["Sites", sites?.element ?? null],
    ["After the bound", afterBound(report)],
    ["Notes", notes({ report, label: "" })],
    ["Words", words(false)],
  ];
  show(report.command.join(" "), pageHeader(...runLines(report)), parts, page);
}

function showChange(runs: Run[], diff: Diff, page: HTMLElement): void {
  const [before, after] = runs.map((run) => run.report);
  const parts: Parts = [
    ...changeParts(runs, diff),
    [
      "Processes",
      treeSection({ report: before, caption: "Before: processes, each under its parent" }, { report: after, caption: "After: processes, each under its parent" }),
    ],
    ["Notes", notes({ report: before, label: "Before: " }, { report: after, label: "After: " })],
    ["Words", words(true)],
  ];
  show(changeTitle(diff), pageHeader(...runLines(before, "Before"), ...runLines(after, "After")), parts, page);
}

async function start(): Promise<void> {
  const page = document.getElementById("page")!;
  try {
    const source = document.getElementById("data")!;
    const { runs, diff } = await readPage(source.textContent!);
    source.remove();
    if (diff) showChange(runs, diff, page);
    else showRun(runs[0], page);
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    const reason =
      "DecompressionStream" in window ? `The page's data cannot be read: ${error}` : "This browser is too old for the page: it needs Chromium 103, Firefox 113, Safari 16.4 or newer.";
    page.replaceChildren(element("p", { role: "alert" }, reason));
    throw error;
  }
}

void start();
