import "./style.css";
import { breakdown } from "./breakdown";
import { readRuns, Run } from "./data";
import { append, element, section } from "./dom";
import { flameSection } from "./flame";
import { headline, pageHeader } from "./headline";
import { mapSection } from "./map";
import { sitesSection } from "./sites";
import { themeButton } from "./theme";
import { timelineSection } from "./timeline";
import { treeSection } from "./tree";

function notes(run: Run): HTMLElement | null {
  if (run.report.notes.length === 0) return null;
  const list = element("ul");
  for (const note of run.report.notes) append(list, element("li", {}, note));
  return section("notes", "Notes", "", list);
}

function words(): HTMLElement {
  const list = element("dl", { class: "words" });
  const word = (name: string, meaning: string) => append(list, element("dt", {}, name), element("dd", {}, meaning));
  word("inherited", "a page that parent and child shared at the fork");
  word("copied", "an inherited page that was written after the fork while it was still shared, so the kernel had to copy it");
  word("fresh", "a page that a process touched first after its fork: its own memory, no copy");
  word("site", "the instruction that wrote, with its stack");
  word("cause", "why the first write to the page happened");
  word("owner", "a variable through which the program reaches what was written");
  return section("words", "Words", "", list);
}

function showRun(run: Run, page: HTMLElement): void {
  const { report } = run;
  const sites = sitesSection(run);
  const parts: [string, HTMLElement | null][] = [
    ["Summary", headline(report)],
    ["Over time", timelineSection(run)],
    ["What", breakdown(report)],
    ["Flame graph", flameSection(run)],
    ["Map", mapSection(run, (place) => sites?.reveal(place))],
    ["Processes", treeSection(report)],
    ["Sites", sites?.element ?? null],
    ["Notes", notes(run)],
    ["Words", words()],
  ];
  const links = element("ul");
  for (const [name, part] of parts) {
    if (part) append(links, element("li", {}, element("a", { href: "#" + part.id }, name)));
  }
  const navigation = element("nav", { "aria-label": "Parts of the page" }, links);
  document.title = `${report.command.join(" ")} – cowscope`;
  page.replaceChildren(
    element("a", { class: "skip", href: "#main" }, "Skip to the report"),
    element("header", {}, pageHeader(report), themeButton()),
    navigation,
    element("main", { id: "main" }, ...parts.map(([, part]) => part)),
  );
}

async function start(): Promise<void> {
  const page = document.getElementById("page")!;
  try {
    const source = document.getElementById("data")!;
    const runs = await readRuns(source.textContent!);
    source.remove();
    showRun(runs[0], page);
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    const reason =
      "DecompressionStream" in window ? `The page's data cannot be read: ${error}` : "This browser is too old for the page: it needs Chromium 103, Firefox 113, Safari 16.4 or newer.";
    page.replaceChildren(element("p", { role: "alert" }, reason));
    throw error;
  }
}

void start();
