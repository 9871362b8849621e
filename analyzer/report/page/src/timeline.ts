// Memory over time, per process: what it copied and what it has of its own.
import { Diff, Point, ProcessPages, Run } from "./data";
import { choice, element, section } from "./dom";
import { grouped } from "./format";
import { added, Course, interpolated, Line, memoryPlot } from "./plot";
import { Column, sortableTable } from "./table";

// More lines than this cannot be told apart.
const mostLines = 10;
// After Tol; not those of the causes.
const lineColors = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#997700", "#332288", "#44aa99", "#888888"];
// Of two runs, the one before and the one after the change.
const sideColors = ["#85909b", "#3b82d6"];
const freshDash = [5, 4];

function fromStart(pages: ProcessPages, points: Point[]): Point[] {
  const start = pages.process.start_ns / 1e9;
  return points.length > 0 && points[0].seconds > start ? [{ seconds: start, pages: 0 }, ...points] : points;
}

// What a run's processes had at each time; most copies first.
class Memory {
  readonly processes: ProcessPages[];
  private readonly copiedPoints: Map<ProcessPages, Point[]>;
  private readonly freshPoints: Map<ProcessPages, Point[]>;

  constructor(private readonly run: Run) {
    this.processes = run.processes
      .filter((each) => each.copied.length > 0)
      .sort((a, b) => b.process.copied_pages - a.process.copied_pages);
    this.copiedPoints = new Map(this.processes.map((each) => [each, fromStart(each, each.copied)]));
    this.freshPoints = new Map(this.processes.map((each) => [each, fromStart(each, each.fresh)]));
  }

  addTimes(times: Set<number>): void {
    times.add(0).add(this.run.report.duration_ns / 1e9);
    for (const points of [...this.copiedPoints.values(), ...this.freshPoints.values()]) {
      for (const point of points) times.add(point.seconds);
    }
  }

  copied = (group: ProcessPages[]): Course => this.sum(this.copiedPoints, group);
  fresh = (group: ProcessPages[]): Course => this.sum(this.freshPoints, group);

  private sum(points: Map<ProcessPages, Point[]>, group: ProcessPages[]): Course {
    return added(group.map((each) => interpolated(points.get(each)!, this.run.report.page_size)));
  }

  // When a process had copied such a share of what it copied.
  moment(each: ProcessPages, share: number): number {
    const pages = share * each.process.copied_pages;
    return this.copiedPoints.get(each)!.find((point) => point.pages >= pages)?.seconds ?? 0;
  }

  // The processes one by one, and the last ones together where there are more than `most`.
  groups(most: number): { name: string; group: ProcessPages[] }[] {
    const single = this.processes.length > most ? most - 1 : this.processes.length;
    const groups = this.processes.slice(0, single).map((each) => ({ name: `${each.process.pid}`, group: [each] }));
    const others = this.processes.slice(single);
    if (others.length > 0) groups.push({ name: `${others.length} others`, group: others });
    return groups;
  }
}

interface Row {
  run: string;
  memory: Memory;
  each: ProcessPages;
}

function figures(memories: { run: string; memory: Memory }[]): HTMLElement {
  const seconds = (value: number) => `${value.toFixed(3)} s`;
  const columns: Column<Row>[] = [
    { title: "Process", value: (row) => row.each.process.pid },
    { title: "Forked at", value: (row) => row.each.process.start_ns, cell: (row) => seconds(row.each.process.start_ns / 1e9), numeric: true },
    { title: "Half copied at", value: (row) => row.memory.moment(row.each, 0.5), cell: (row) => seconds(row.memory.moment(row.each, 0.5)), numeric: true },
    { title: "Copied pages", value: (row) => row.each.process.copied_pages, cell: (row) => grouped(row.each.process.copied_pages), numeric: true },
    { title: "Fresh pages", value: (row) => row.each.process.fresh_pages, cell: (row) => grouped(row.each.process.fresh_pages), numeric: true },
  ];
  if (memories.length > 1) columns.push({ title: "Run", value: (row) => row.run });
  const table = sortableTable<Row>({
    caption: "When each process copied",
    rows: memories.flatMap(({ run, memory }) => memory.processes.map((each) => ({ run, memory, each }))),
    sortedBy: 3,
    shown: 10,
    columns,
  });
  return element("details", {}, element("summary", {}, "Figures as a table"), table.element);
}

export function timelineSection(run: Run): HTMLElement | null {
  const memory = new Memory(run);
  if (memory.processes.length === 0) return null;
  const times = new Set<number>();
  memory.addTimes(times);
  let mode: "each" | "sum" = "each";
  const lines = (): Line[] => {
    const groups = mode === "sum" ? [{ name: "all processes", group: memory.processes }] : memory.groups(mostLines);
    return groups.flatMap(({ name, group }, i) => [
      { label: `${name} copied`, color: lineColors[i], width: 2, at: memory.copied(group) },
      { label: `${name} fresh`, color: lineColors[i], width: 1.5, dash: freshDash, at: memory.fresh(group) },
    ]);
  };
  const plot = memoryPlot(times, lines, "Copied and fresh memory of each process over time; the table below has the figures.");
  return section(
    "timeline",
    "Memory over time",
    "Solid lines: copied. Dashed lines: fresh, the process's own from the start. Drag to zoom, double-click to reset.",
    element(
      "div",
      { class: "controls" },
      choice("Lines", [["each", "Each process"], ["sum", "Sum"]], mode, (value) => {
        mode = value;
        plot.draw();
      }),
    ),
    plot.element,
    figures([{ run: "", memory }]),
  );
}

// `scales`: what a page of each run counts.
export function timelineOfBoth(runs: Run[], diff: Diff, scales: number[]): HTMLElement | null {
  const sides = ["before", "after"];
  const memories = runs.map((run) => new Memory(run));
  if (memories.every((memory) => memory.processes.length === 0)) return null;
  const times = new Set<number>();
  for (const memory of memories) memory.addTimes(times);
  let mode: "sum" | "each" = "sum";
  const scaled = (course: Course, scale: number): Course => (seconds) => {
    const value = course(seconds);
    return value === null ? null : value * scale;
  };
  const lines = (): Line[] =>
    memories.flatMap((memory, side) => {
      const [name, color] = [sides[side], sideColors[side]];
      const width = side === 0 ? 1.5 : 2.5;
      if (mode === "each") {
        return memory.groups(mostLines / 2).map(({ name: process, group }) => ({ label: `${name} ${process} copied`, color, width, at: memory.copied(group) }));
      }
      return [
        { label: `${name}, copied`, color, width, at: scaled(memory.copied(memory.processes), scales[side]) },
        { label: `${name}, fresh`, color, width, dash: freshDash, at: scaled(memory.fresh(memory.processes), scales[side]) },
      ];
    });
  const plot = memoryPlot(times, lines, "Copied and fresh memory over time, before and after; the table below has the figures.");
  return section(
    "timeline",
    "Memory over time",
    "Grey and thin: before. Blue and thick: after. Solid lines: copied; dashed ones: fresh, the processes' own from the start. Each run from its own start. Drag to zoom, double-click to reset.",
    element(
      "div",
      { class: "controls" },
      choice("Lines", [["sum", diff.per_process ? "For each forked process" : "All processes"], ["each", "Each process"]], mode, (value) => {
        mode = value;
        plot.draw();
      }),
    ),
    plot.element,
    figures(memories.map((memory, side) => ({ run: sides[side], memory }))),
  );
}
