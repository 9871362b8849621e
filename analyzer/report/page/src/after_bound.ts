// What came after the recording had reached its bound (--max-trace): counted, without causes.
import { Report } from "./data";
import { element, section } from "./dom";
import { counted, grouped, sizeText } from "./format";
import { placeOf, stackList } from "./place";
import { shareBar, sortableTable } from "./table";

export const afterBoundId = "after-bound";

interface Row {
  name: string;
  copies: number;
  stack: string[];
}

function stackOf(row: Row): HTMLElement {
  return row.stack.length === 0 ? element("p", {}, "No stack is known.") : stackList("Native stack", row.stack);
}

// As one sentence; "" where nothing came.
export function afterBoundText(report: Report): string {
  const after = report.after_bound;
  if (!after || after.copies === 0) return "";
  const bound = sizeText(after.limit_bytes);
  return `${counted(after.copies, "copy", "copies")} more (${sizeText(after.copies * report.page_size)}) came after the trace had reached its bound of ${bound}; these were only counted.`;
}

export function afterBound(report: Report): HTMLElement | null {
  const after = report.after_bound;
  if (!after || after.copies === 0) return null;
  const rows: Row[] = after.sites.map((place) => ({ name: placeOf(place) || "(an unknown place)", copies: place.copies, stack: place.stack }));
  const others: [string, number][] = [
    ["by the kernel, into a buffer", after.by_kernel],
    ["while SIGTRAP was blocked", after.late],
    ["in places for which the table had no room", after.without_site],
  ];
  for (const [name, copies] of others) {
    if (copies !== 0) rows.push({ name, copies, stack: [] });
  }
  const table = sortableTable<Row>({
    caption: "Places that copied",
    columns: [
      { title: "Place", value: (row) => row.name, className: "name" },
      { title: "Pages", value: (row) => row.copies, cell: (row) => grouped(row.copies), numeric: true },
      { title: "Size", value: (row) => row.copies, cell: (row) => sizeText(row.copies * report.page_size), numeric: true },
      { title: "Share", value: (row) => row.copies, cell: (row) => shareBar(row.copies / after.copies, "var(--accent)"), numeric: true, className: "wide" },
    ],
    rows,
    sortedBy: 1,
    details: stackOf,
  });
  const intro = afterBoundText(report) + " Everything else on this page is about what came before.";
  return section(afterBoundId, "After the bound", intro, table.element);
}
