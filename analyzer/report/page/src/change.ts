// What changed from one run to another: the page of `cowscope html --diff`.
import { causeLabel, causeOf, textOn } from "./causes";
import { Change, Diff, Run, Site } from "./data";
import { append, choice, element, section } from "./dom";
import { flameGraph, Node } from "./flame";
import { counted, grouped, lastComponent, percent, sizeText } from "./format";
import { card, remedies } from "./headline";
import { siteDetails } from "./sites";
import { Column, sortableTable, Table } from "./table";
import { timelineOfBoth } from "./timeline";

type State = "gone" | "less" | "same" | "more" | "new";

const marks: Record<State, string> = { gone: "✕", less: "▼", same: "=", more: "▲", new: "✚" };

interface Row {
  name: string;
  change: Change;
  place: number; // in the list that it is from
}

// What changed alike stands in the order of its size.
function rowsOf<Each extends Change>(changes: Each[], name: (each: Each) => string): Row[] {
  const size = ({ change }: Row) => Math.max(change.before_pages, change.after_pages);
  return changes.map((change, place) => ({ name: name(change), change, place })).sort((a, b) => size(b) - size(a));
}

function stateOf({ state, change_pages }: Change): State {
  return state === "changed" ? (change_pages < 0 ? "less" : "more") : state;
}

// As analyzer/compare/diff.h has it.
function changeOf(before: number, after: number): Change {
  const difference = Math.abs(after - before);
  const state = before === 0 ? "new" : after === 0 ? "gone" : difference <= 1 + 0.01 * before ? "same" : "changed";
  return { before_pages: before, after_pages: after, change_pages: after - before, state };
}

function sizeOf(pages: number, diff: Diff): string {
  return sizeText(Math.round(pages) * diff.page_size);
}

function signedSize(pages: number, diff: Diff): string {
  return Math.round(pages) === 0 ? "0" : (pages < 0 ? "−" : "+") + sizeOf(Math.abs(pages), diff);
}

// "−92.2 %", "×12.3": as the first line has it. Of what is in both runs.
function shareText({ before_pages, after_pages, change_pages }: Change): string {
  if (after_pages >= 2 * before_pages) return `×${(after_pages / before_pages).toFixed(1)}`;
  const share = percent(Math.abs(change_pages) / before_pages);
  return (change_pages < 0 ? "−" : "+") + share;
}

function stateLabel(change: Change): HTMLElement {
  const state = stateOf(change);
  return element("span", { class: "state" }, element("span", { "aria-hidden": "true" }, marks[state] + " "), state);
}

// Numbers and their units stay on one line.
function unbroken(text: string): string {
  return text.replace(/(\d) (?=[%KMGT])/g, "$1\u00a0");
}

export function changeTitle(diff: Diff): string {
  const name = (trace: string) => lastComponent(trace.replace(/\/+$/, ""));
  return `${name(diff.before.trace)} → ${name(diff.after.trace)}`;
}

function headlineOfChange(runs: Run[], diff: Diff): HTMLElement {
  const { summary, copied } = diff;
  const lead = element("p", { class: "lead" }, summary.most);
  if (summary.owner !== "") append(lead, "; ", element("code", {}, summary.owner));
  if (summary.most !== "") append(lead, ".");
  const cards = element("dl", { class: "cards" });
  const each = diff.per_process ? "for each forked process" : "";
  const side = (title: string, pages: number, { forked_processes, copied_pages }: Diff["before"]) =>
    card(
      title,
      sizeOf(pages, diff),
      `${grouped(pages)} pages ${each}`,
      `${counted(forked_processes, "forked process", "forked processes")}${diff.per_process ? `, ${sizeOf(copied_pages, diff)} in all` : ""}`,
    );
  append(
    cards,
    side("Before", copied.before_pages, diff.before),
    side("After", copied.after_pages, diff.after),
    card("Change", signedSize(copied.change_pages, diff), copied.state === "same" ? "no change" : copied.before_pages === 0 ? "all of it new" : shareText(copied), each),
  );
  const largest = diff.causes.find((cause) => cause.state !== "same");
  if (largest) {
    append(cards, card("Cause that changed most", causeLabel(largest.cause), signedSize(largest.change_pages, diff), `from ${sizeOf(largest.before_pages, diff)} to ${sizeOf(largest.after_pages, diff)}`));
  }
  const after = runs[1].report;
  return element(
    "section",
    { id: "headline", "aria-labelledby": "headline-title" },
    element("h2", { id: "headline-title" }, unbroken(summary.total.replaceAll(" -> ", " → ").replace(/\.$/, ""))),
    summary.most !== "" && lead,
    summary.reason !== "" && element("p", { class: "lead reason" }, element("strong", {}, summary.reason)),
    cards,
    after.totals.copied_pages > 0 && (after.advice.length > 0 || diff.copied.change_pages >= 0) && remedies(after, "What would help now"),
  );
}

function columns(diff: Diff, title: string, rows: Row[], name: (row: Row) => globalThis.Node | string): Column<Row>[] {
  const most = Math.max(1, ...rows.map(({ change }) => Math.max(change.before_pages, change.after_pages)));
  const width = (pages: number) => `width:${((pages / most) * 100).toFixed(2)}%`;
  const size = (pages: number) => (pages === 0 ? "–" : sizeOf(pages, diff));
  const order: State[] = ["gone", "less", "same", "more", "new"];
  return [
    { title, value: (row) => row.name, cell: name, className: "name" },
    { title: "Before", value: ({ change }) => change.before_pages, cell: ({ change }) => size(change.before_pages), numeric: true },
    { title: "After", value: ({ change }) => change.after_pages, cell: ({ change }) => size(change.after_pages), numeric: true },
    {
      title: "Change",
      // The largest first, whichever its direction.
      value: ({ change }) => Math.abs(change.change_pages),
      cell: ({ change }) => signedSize(change.change_pages, diff),
      numeric: true,
    },
    { title: "State", value: ({ change }) => order.indexOf(stateOf(change)), cell: ({ change }) => stateLabel(change) },
    {
      title: "Before and after",
      value: ({ change }) => Math.max(change.before_pages, change.after_pages),
      cell: ({ change }) =>
        element(
          "span",
          { class: "pair", "aria-hidden": "true" },
          element("span", { class: "before", style: width(change.before_pages), hidden: change.before_pages === 0 }),
          element("span", { style: width(change.after_pages), hidden: change.after_pages === 0 }),
        ),
      numeric: true,
      className: "wide bars",
    },
  ];
}

function barsLegend(): HTMLElement {
  return element(
    "p",
    { class: "legend" },
    element("span", { class: "cause" }, element("span", { class: "key before" }), "before (upper bar)"),
    element("span", { class: "cause" }, element("span", { class: "key after" }), "after (lower bar)"),
  );
}

function causesOfChange(diff: Diff): HTMLElement | null {
  if (diff.causes.length === 0) return null;
  const rows = rowsOf(diff.causes, (cause) => cause.cause);
  const label = (row: Row) => element("span", {}, causeLabel(row.name), element("span", { class: "note" }, causeOf(row.name).means));
  const table = sortableTable({ caption: "Why: by cause", columns: columns(diff, "Cause", rows, label), rows, sortedBy: 3, shown: 13 });
  table.element.id = "causes";
  const intro = diff.per_process ? "Copies for each forked process, before and after the change." : "All copies, before and after the change.";
  return section("why", "Causes, before and after", intro, barsLegend(), table.element);
}

// Rows that hold a text, or have changed in one way.
function filters(id: string, diff: Diff, tables: { rows: Row[]; table: Table<Row>; text: (row: Row) => string }[]): HTMLElement {
  let state: State | "all" = "all";
  const found = element("span", { class: "small", role: "status" });
  const text = element("input", { type: "search", id, size: 28, placeholder: "name" });
  const apply = () => {
    const wanted = text.value.trim().toLowerCase();
    let count = 0;
    let pages = 0;
    for (const { rows, table, text } of tables) {
      const kept = rows.filter((row) => (state === "all" || stateOf(row.change) === state) && text(row).toLowerCase().includes(wanted));
      table.setRows(kept);
      count += kept.length;
      pages += kept.reduce((sum, row) => sum + row.change.change_pages, 0);
    }
    const isSum = tables.length === 1 && count > 0;
    found.textContent = state === "all" && wanted === "" ? "" : counted(count, "row") + (isSum ? `, together ${signedSize(pages, diff)}` : "");
  };
  text.addEventListener("input", apply);
  const states: (State | "all")[] = ["all", "gone", "less", "same", "more", "new"];
  return element(
    "div",
    { class: "controls" },
    choice("Rows", states.map((each) => [each, each === "all" ? "All" : `${marks[each]} ${each}`]), state, (value) => {
      state = value;
      apply();
    }),
    element("label", { for: id }, "Filter"),
    text,
    found,
  );
}

function typesAndOwners(diff: Diff): HTMLElement | null {
  const tables: Parameters<typeof filters>[2] = [];
  const add = (id: string, caption: string, title: string, rows: Row[]) => {
    const table = sortableTable({ caption, columns: columns(diff, title, rows, (row) => row.name), rows, sortedBy: 3, shown: 8 });
    table.element.id = id;
    if (rows.length > 0) tables.push({ rows, table, text: (row) => row.name });
  };
  add("types", "What: by type of the object that was written", "Type", rowsOf(diff.types, (type) => type.type));
  add("owners", "Whose: a variable that leads there", "Owner", rowsOf(diff.owners, (owner) => owner.owner));
  if (tables.length === 0) return null;
  return section(
    "breakdown",
    "Types and owners",
    "Of objects, where a program has any that cowscope knows.",
    filters("breakdown-filter", diff, tables),
    ...tables.map(({ table }) => table.element),
    diff.owners.length === 0 && element("p", { class: "small" }, "Whose: the owners are not known in both of the traces."),
  );
}

function sitesOfChange(runs: Run[], diff: Diff): HTMLElement | null {
  if (diff.sites.length === 0) return null;
  const rows = rowsOf(diff.sites, (site) => site.site);
  // Reports have the heaviest first.
  const sites = runs.map((run) => {
    const groups = new Map<number, Site[]>();
    for (const site of run.report.sites) {
      if (!groups.has(site.change)) groups.set(site.change, []);
      groups.get(site.change)!.push(site);
    }
    return groups;
  });
  const details = (row: Row) =>
    element(
      "div",
      { class: "sides" },
      ...["Before", "After"].map((side, at) => {
        const all = sites[at].get(row.place) ?? [];
        const title = all.length === 0 ? "no copies here" : `${counted(all.length, "site")}${all.length > 1 ? "; the heaviest" : ""}: ${counted(all[0].pages, "page")}`;
        return element("div", {}, element("h3", {}, `${side}: ${title}`), all.length > 0 && siteDetails(all[0]));
      }),
    );
  const table = sortableTable({
    caption: "Where: the functions and what they wrote",
    columns: columns(diff, "Site", rows, (row) => element("code", {}, row.name)),
    rows,
    sortedBy: 3,
    shown: 12,
    details,
  });
  return section(
    "sites",
    "Where it was written",
    "Lines and addresses move when a program is changed: a row is told by cause, type and function. Open it for the evidence and the call stacks.",
    filters("sites-filter", diff, [{ rows, table, text: (row) => row.name }]),
    table.element,
    diff.site_count > diff.sites.length &&
      element("p", { class: "small" }, `The page holds the ${grouped(diff.sites.length)} that changed most of ${grouped(diff.site_count)}; cowscope diff --format json has all.`),
  );
}

// Blue for less and red for more, which the colour blind tell apart; a mark stands in each box.
const shades: [string, string][] = [
  ["#2166ac", "gone"],
  ["#5b9fce", "less by half or more"],
  ["#b3d4e8", "less"],
  ["#dcdcdc", "same"],
  ["#fbc9a9", "more"],
  ["#ea8460", "twice as much or more"],
  ["#b2182b", "new"],
];

function shadeOf(change: Change): number {
  const { before_pages, after_pages } = change;
  const state = stateOf(change);
  if (state === "less") return 2 * after_pages <= before_pages ? 1 : 2;
  if (state === "more") return after_pages >= 2 * before_pages ? 5 : 4;
  return { gone: 0, same: 3, new: 6 }[state];
}

function flameOfChange(runs: Run[], diff: Diff, scales: number[]): HTMLElement | null {
  const change = (node: Node) => changeOf(node.pages[0], node.pages[1]);
  const isNumber = (each: Change) => each.state === "changed";
  const mark = (node: Node) => {
    const each = change(node);
    const state = stateOf(each);
    return isNumber(each) ? `${marks[state]} ${shareText(each)}` : `${marks[state]} ${state}`;
  };
  const fromTo = ([before, after]: number[]) => `${sizeOf(before, diff)} before, ${sizeOf(after, diff)} after`;
  return flameGraph(runs, {
    title: "Who wrote: flame graph of what changed",
    intro:
      "Each box is a function; the wider, the more it copied together with what it called, in the run that Width names. Callers are on top. The colour and the mark say how that changed. A function is the same one where its name and file are. Click a box to zoom.",
    scales,
    widths: { names: ["Before", "After"], first: diff.copied.change_pages <= 0 ? 0 : 1 },
    frameText: (text) => text.replace(/:\d+\)$/, ")").replace(/^0x[0-9a-f]+ \(/, "(no symbol) ("),
    color: (node) => shades[shadeOf(change(node))][0],
    mark,
    label: (node) => `${fromTo(node.pages)}: ${stateOf(change(node))}`,
    describe: (node) => {
      const each = change(node);
      const gain = (pages: number[]) => Math.abs(pages[1] - pages[0]);
      const causes = [...node.causes].sort((a, b) => gain(b.pages) - gain(a.pages)).slice(0, 4);
      return [
        `${fromTo(node.pages)}: `,
        stateLabel(each),
        isNumber(each) ? ` ${signedSize(each.change_pages, diff)}, ${shareText(each)}. ` : ". ",
        ...causes.flatMap(({ cause, pages: [before, after] }) => [causeLabel(cause), ` ${signedSize(after - before, diff)}  `]),
      ];
    },
    found: ([before, after]) => `${percent(before)} of the copies before, ${percent(after)} after`,
    legend: shades.map(([color, means], at) => {
      const state: State = at === 0 ? "gone" : at < 3 ? "less" : at === 3 ? "same" : at < 6 ? "more" : "new";
      return element("span", { class: "cause" }, element("span", { class: "key change", style: `--cause:${color};--on-cause:${textOn(color)}`, "aria-hidden": "true" }, marks[state]), means);
    }),
    paleNative: false,
  });
}

export function changeParts(runs: Run[], diff: Diff): [string, HTMLElement | null][] {
  const scales = [diff.before, diff.after].map((side) => (diff.per_process ? 1 / side.forked_processes : 1));
  return [
    ["Summary", headlineOfChange(runs, diff)],
    ["Causes", causesOfChange(diff)],
    ["Over time", timelineOfBoth(runs, diff, scales)],
    ["Flame graph", flameOfChange(runs, diff, scales)],
    ["Types and owners", typesAndOwners(diff)],
    ["Sites", sitesOfChange(runs, diff)],
  ];
}
