// Copies by cause, by type of object and by owner.
import { causeColor, causeLabel, causeOf } from "./causes";
import { Report } from "./data";
import { element, section } from "./dom";
import { grouped, sizeText } from "./format";
import { Column, shareBar, sortableTable } from "./table";

interface Row {
  name: string;
  pages: number;
  note: string;
  cause: string; // the main one
}

function columns(report: Report, title: string, isCause: boolean): Column<Row>[] {
  const total = report.totals.copied_pages;
  return [
    {
      title,
      value: (row) => row.name,
      className: "name",
      cell: (row) => {
        const cell = element("span", {}, isCause ? causeLabel(row.name) : row.name);
        if (row.note !== "") cell.append(element("span", { class: "note" }, row.note));
        return cell;
      },
    },
    { title: "Pages", value: (row) => row.pages, cell: (row) => grouped(row.pages), numeric: true },
    { title: "Size", value: (row) => row.pages, cell: (row) => sizeText(row.pages * report.page_size), numeric: true },
    {
      title: "Share",
      value: (row) => row.pages,
      cell: (row) => shareBar(row.pages / total, causeColor(row.cause)),
      numeric: true,
      className: "wide",
    },
  ];
}

function typeRows(report: Report): Row[] {
  const types = new Map<string, { pages: number; causes: Map<string, number> }>();
  const add = (type: string, cause: string, pages: number) => {
    const row = types.get(type) ?? { pages: 0, causes: new Map() };
    row.pages += pages;
    row.causes.set(cause, (row.causes.get(cause) ?? 0) + pages);
    types.set(type, row);
  };
  for (const cause of report.causes) {
    let left = cause.pages;
    for (const type of cause.types) {
      add(type.type, cause.cause, type.pages);
      left -= type.pages;
    }
    if (left > 0) add(`(no object: ${cause.cause})`, cause.cause, left);
  }
  return [...types].map(([name, row]) => ({
    name,
    pages: row.pages,
    note: "",
    cause: [...row.causes].reduce((a, b) => (b[1] > a[1] ? b : a))[0],
  }));
}

export function breakdown(report: Report): HTMLElement | null {
  if (report.totals.copied_pages === 0) return null;
  const table = (id: string, caption: string, title: string, rows: Row[], isCause = false) => {
    const made = sortableTable({ caption, columns: columns(report, title, isCause), rows, sortedBy: 1, shown: isCause ? 13 : 6 });
    made.element.id = id;
    return made.element;
  };
  const causes = report.causes.map((cause) => ({
    name: cause.cause,
    pages: cause.pages,
    note: causeOf(cause.cause).means,
    cause: cause.cause,
  }));
  const owners = report.owners.map((owner) => ({
    name: owner.owner,
    pages: owner.pages,
    note: "",
    cause: owner.causes[0]?.cause ?? "unknown",
  }));
  const made = section(
    "breakdown",
    "What was copied",
    "The same copies, summed three ways. Bars of types and owners have the colour of their main cause.",
    table("causes", "Why: by cause", "Cause", causes, true),
    table("types", "What: by type of the object that was written", "Type", typeRows(report)),
  );
  made.append(
    owners.length > 0
      ? table("owners", "Whose: a variable that leads there", "Owner", owners)
      : element("p", { class: "small" }, "Whose: no owners are known of this trace."),
  );
  return made;
}
