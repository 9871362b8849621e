// Where: the writing instructions, with evidence and stacks.
import { causeLabel } from "./causes";
import { Report, Run, Site } from "./data";
import { append, element, section } from "./dom";
import { counted, grouped, percent, sizeText } from "./format";
import { placeOf, stackList } from "./place";
import { sortableTable, Table } from "./table";

export interface Sites {
  element: HTMLElement;
  reveal: (place: number) => void;
}

export function siteDetails(site: Site): HTMLElement {
  const facts = element("dl", { class: "facts" });
  const fact = (name: string, value: string) => {
    if (value !== "") append(facts, element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  };
  fact("Evidence", site.evidence);
  fact("Instruction", site.instruction);
  fact("Function", site.function + (site.inlined ? `  (inlined ${site.inlined})` : ""));
  fact("Source", site.file ? `${site.file}:${site.line}` : "");
  fact("Module", site.module);
  fact("Type", site.type);
  fact("Values, for example", site.examples.join("  "));
  const made = element("div", { class: "site" }, facts);
  const stacks = element("div", { class: "stacks" });
  if (site.mixed_stack.length > 0) append(stacks, stackList("Stack, Python and native", site.mixed_stack));
  if (site.stack.length > 0) append(stacks, stackList("Native stack", site.stack));
  append(made, stacks);
  return made;
}

function searched(site: Site): string {
  return [site.cause, site.type, placeOf(site), site.function, site.inlined, site.module, site.file, site.instruction, site.evidence, ...site.mixed_stack]
    .join("\n")
    .toLowerCase();
}

export function sitesSection(run: Run): Sites | null {
  const report: Report = run.report;
  const total = report.totals.copied_pages;
  if (total === 0) return null;
  const table: Table<Site> = sortableTable<Site>({
    caption: "Writing instructions, the one with the most copies first",
    rows: report.sites,
    sortedBy: 0,
    shown: 15,
    details: siteDetails,
    columns: [
      { title: "Pages", value: (site) => site.pages, cell: (site) => grouped(site.pages), numeric: true },
      { title: "Size", value: (site) => site.pages, cell: (site) => sizeText(site.pages * report.page_size), numeric: true },
      { title: "Share", value: (site) => site.pages, cell: (site) => percent(site.pages / total), numeric: true },
      { title: "Cause", value: (site) => site.cause, cell: (site) => causeLabel(site.cause) },
      { title: "Type", value: (site) => site.type, className: "name" },
      { title: "Where", value: placeOf, cell: (site) => element("code", {}, placeOf(site) || "—"), className: "name" },
      { title: "Instruction", value: (site) => site.instruction, cell: (site) => element("code", {}, site.instruction || "—"), className: "name" },
    ],
  });
  const texts = new Map(report.sites.map((site) => [site, searched(site)]));
  const found = element("span", { class: "small", role: "status" });
  const filter = element("input", { type: "search", id: "sites-filter", size: 34, placeholder: "function, line, type, cause…" });
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    const rows = report.sites.filter((site) => texts.get(site)!.includes(wanted));
    table.setRows(rows);
    const pages = rows.reduce((sum, site) => sum + site.pages, 0);
    found.textContent = wanted === "" ? "" : `${counted(rows.length, "site")}, ${percent(pages / total)} of the copies`;
  });
  const made = section(
    "sites",
    "Where it was written",
    "Each row is one instruction (and Python line). Open it for the evidence and the call stack.",
    element("div", { class: "controls" }, element("label", { for: "sites-filter" }, "Filter"), filter, found),
    table.element,
    run.siteCount > report.sites.length &&
      element("p", { class: "small" }, `The page holds the ${grouped(report.sites.length)} heaviest of ${grouped(run.siteCount)} sites; cowscope report --format json has all.`),
  );
  return {
    element: made,
    reveal: (place) => {
      if (filter.value !== "") {
        filter.value = "";
        table.setRows(report.sites);
      }
      table.reveal(report.sites[place]);
    },
  };
}
