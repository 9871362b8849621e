// Tables that sort by a click on a heading.
import { append, element } from "./dom";
import { grouped, percent } from "./format";

export interface Column<Row> {
  title: string;
  value: (row: Row) => number | string; // what sorts
  cell?: (row: Row) => Node | string; // what shows, if not the value
  numeric?: boolean;
  className?: string;
}

export interface TableOptions<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  sortedBy?: number; // a column; its order is descending
  shown?: number; // rows before "Show more"
  // What opens under a row.
  details?: (row: Row) => Node;
  rowId?: (row: Row) => string;
}

export interface Table<Row> {
  element: HTMLElement;
  setRows: (rows: Row[]) => void;
  // Makes the row visible and opens its details.
  reveal: (row: Row) => void;
}

function classOf<Row>(column: Column<Row>): string | undefined {
  return [column.numeric ? "number" : "", column.className ?? ""].join(" ").trim() || undefined;
}

export function sortableTable<Row>(options: TableOptions<Row>): Table<Row> {
  const { columns, details } = options;
  let rows = options.rows;
  let sortedBy = options.sortedBy ?? -1;
  let ascending = false;
  const step = options.shown ?? 10;
  let shown = step;
  const open = new Set<Row>();

  const headings = columns.map((column, index) => {
    const button = element("button", { type: "button" }, column.title);
    button.addEventListener("click", () => {
      // Numbers are asked for from the largest on, names from A.
      ascending = sortedBy === index ? !ascending : !column.numeric;
      sortedBy = index;
      draw();
    });
    return element("th", { scope: "col", class: classOf(column) }, button);
  });
  const body = element("tbody");
  const more = element("button", { type: "button", class: "more" });
  more.addEventListener("click", () => {
    shown += step * 10;
    draw();
  });
  const table = element(
    "table",
    {},
    element("caption", {}, options.caption),
    element("thead", {}, element("tr", {}, details && element("th", { class: "opener" }, element("span", { class: "unseen" }, "Details")), ...headings)),
    body,
  );

  function sorted(): Row[] {
    if (sortedBy < 0) return rows;
    const value = columns[sortedBy].value;
    const sign = ascending ? 1 : -1;
    return [...rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return sign * order;
    });
  }

  function drawRow(row: Row): void {
    const cells = columns.map((column, index) => {
      const content = column.cell ? column.cell(row) : String(column.value(row));
      const attributes = { class: classOf(column) };
      return index === 0 && !details
        ? element("th", { scope: "row", ...attributes }, content)
        : element("td", attributes, content);
    });
    const tr = element("tr", { id: options.rowId?.(row) }, ...cells);
    body.append(tr);
    if (!details) return;
    const button = element("button", { type: "button", "aria-label": "Details of this row" });
    const show = () => {
      const isOpen = open.has(row);
      button.setAttribute("aria-expanded", String(isOpen));
      button.textContent = isOpen ? "▾" : "▸";
      if (!isOpen) {
        if (tr.nextElementSibling?.classList.contains("details")) tr.nextElementSibling.remove();
        return;
      }
      tr.after(element("tr", { class: "details" }, element("td", { colspan: columns.length + 1 }, details(row))));
    };
    button.addEventListener("click", () => {
      if (!open.delete(row)) open.add(row);
      show();
    });
    tr.prepend(element("td", { class: "opener" }, button));
    show();
  }

  function draw(): void {
    headings.forEach((heading, index) => {
      if (index === sortedBy) heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    });
    body.replaceChildren();
    const order = sorted();
    for (const row of order.slice(0, shown)) drawRow(row);
    const left = order.length - shown;
    more.hidden = left <= 0;
    more.textContent = `Show more (${grouped(left)} left)`;
  }

  draw();
  return {
    element: element("div", { class: "table" }, table, more),
    setRows(next) {
      rows = next;
      shown = step;
      draw();
    },
    reveal(row) {
      const place = sorted().indexOf(row);
      if (place < 0) return;
      shown = Math.max(shown, place + 1);
      open.add(row);
      draw();
      const tr = body.querySelectorAll<HTMLElement>("tr:not(.details)")[place];
      tr?.scrollIntoView({ block: "center" });
      tr?.querySelector("button")?.focus({ preventScroll: true });
    },
  };
}

// A share of all copies as a bar with its figure.
export function shareBar(share: number, color?: string): HTMLElement {
  const bar = element("span", { class: "bar", "aria-hidden": "true" });
  const fill = element("span", { style: `width:${(share * 100).toFixed(2)}%${color ? `;background:${color}` : ""}` });
  append(bar, fill);
  return element("span", { class: "share" }, bar, element("span", {}, percent(share)));
}
