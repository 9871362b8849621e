// Who forked whom, and what each process cost.
import { ProcessSummary, Report } from "./data";
import { append, element, section } from "./dom";
import { durationText, percent, sizeText } from "./format";

interface Node {
  process: ProcessSummary;
  children: Node[];
}

// Processes stand in the order of their start. An image that exec made hangs under the one before it.
function treeOf(processes: ProcessSummary[]): Node[] {
  const roots: Node[] = [];
  const latest = new Map<number, Node>();
  for (const process of processes) {
    const node: Node = { process, children: [] };
    const parent = process.role === "exec" ? (latest.get(process.pid) ?? latest.get(process.parent)) : latest.get(process.parent);
    (parent && process.role !== "root" ? parent.children : roots).push(node);
    latest.set(process.pid, node);
  }
  return roots;
}

function endText(process: ProcessSummary): string {
  const { kind, value } = process.exit;
  const end = kind === "exit" || kind === "signal" ? `${kind} ${value}` : kind;
  return process.inherited_pages !== 0 && process.census !== "final" ? `${end}, no final census` : end;
}

const mostRows = 200;

function tree(report: Report, caption: string): HTMLElement[] {
  const size = (pages: number) => (pages === 0 ? "–" : sizeText(pages * report.page_size));
  const body = element("tbody");
  let left = 0;
  const add = (node: Node, depth: number, above: string) => {
    const process = node.process;
    if (body.rows.length < mostRows) {
      const share = process.inherited_pages === 0 ? 0 : Math.min(1, process.copied_pages / process.inherited_pages);
      const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("span", { style: `width:${(share * 100).toFixed(1)}%` }));
      append(
        body,
        element(
          "tr",
          {},
          element(
            "th",
            { scope: "row", class: "process", style: `--depth:${Math.min(depth, 12)}` },
            element("span", { class: "unseen" }, `level ${depth + 1}: `),
            String(process.pid),
            // Forks run their parent's program.
            process.command !== above && element("span", { class: "note", title: process.command }, process.command),
          ),
          element("td", {}, process.role),
          element("td", { class: "number" }, durationText(process.start_ns)),
          element("td", { class: "number" }, durationText(process.end_ns - process.start_ns)),
          element("td", { class: "number" }, size(process.inherited_pages)),
          element("td", { class: "number" }, size(process.copied_pages)),
          element("td", { class: "number wide" }, element("span", { class: "share" }, process.inherited_pages !== 0 && bar, element("span", {}, process.inherited_pages === 0 ? "–" : percent(share)))),
          element("td", { class: "number" }, size(process.fresh_pages)),
          element("td", { class: "number" }, size(process.held_alone_pages)),
          element("td", {}, endText(process)),
        ),
      );
    } else {
      ++left;
    }
    for (const child of node.children) add(child, depth + 1, process.command);
  };
  for (const root of treeOf(report.processes)) add(root, 0, "");
  const headings = ["Process", "Role", "Started at", "Lived", "Inherited", "Copied", "of inherited", "Fresh", "Held alone", "End"];
  const table = element(
    "table",
    { class: "tree" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...headings.map((title, i) => element("th", { scope: "col", class: i > 1 && i < 9 ? "number" : undefined }, title)))),
    body,
  );
  return [
    // Nothing in it takes the focus, and the keyboard must scroll it.
    element("div", { class: "table", tabindex: 0, role: "region", "aria-label": caption }, table),
    ...(left > 0 ? [element("p", { class: "small" }, `… and ${left} more: cowscope report --by process`)] : []),
  ];
}

export function treeSection(...trees: { report: Report; caption: string }[]): HTMLElement {
  return section(
    "processes",
    "Processes",
    "Inherited pages were shared at the fork. Copied ones were written since, fresh ones are the process's own from the start. Those held alone are inherited and never copied, but nobody else's any more.",
    ...trees.flatMap(({ report, caption }) => tree(report, caption)),
  );
}
