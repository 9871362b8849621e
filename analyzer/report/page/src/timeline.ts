// Memory over time, per process: what it copied and what it has of its own.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { Point, ProcessPages, Run } from "./data";
import { choice, element, section } from "./dom";
import { grouped, sizeText } from "./format";
import { sortableTable } from "./table";
import { onThemeChange, styleColor } from "./theme";

// More lines than this cannot be told apart.
const mostLines = 10;
// After Tol; not those of the causes.
const lineColors = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#997700", "#332288", "#44aa99", "#888888"];

type Mode = "each" | "sum";

interface Line {
  label: string;
  color: string;
  isFresh: boolean;
  at: (seconds: number) => number | null; // bytes
}

// The value at a time, on straight lines between points; null before the first and after the last.
function interpolated(points: Point[], pageSize: number): (seconds: number) => number | null {
  return (seconds) => {
    if (points.length === 0 || seconds < points[0].seconds || seconds > points[points.length - 1].seconds) return null;
    let low = 0;
    let high = points.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (points[middle].seconds <= seconds) low = middle;
      else high = middle - 1;
    }
    const from = points[low];
    const to = points[Math.min(low + 1, points.length - 1)];
    const share = to.seconds > from.seconds ? (seconds - from.seconds) / (to.seconds - from.seconds) : 0;
    return (from.pages + share * (to.pages - from.pages)) * pageSize;
  };
}

function fromStart(pages: ProcessPages, points: Point[]): Point[] {
  const start = pages.process.start_ns / 1e9;
  return points.length > 0 && points[0].seconds > start ? [{ seconds: start, pages: 0 }, ...points] : points;
}

function added(lines: ((seconds: number) => number | null)[]): (seconds: number) => number | null {
  return (seconds) => {
    let sum: number | null = null;
    for (const line of lines) {
      const value = line(seconds);
      if (value !== null) sum = (sum ?? 0) + value;
    }
    return sum;
  };
}

export function timelineSection(run: Run): HTMLElement | null {
  const pageSize = run.report.page_size;
  const processes = run.processes
    .filter((each) => each.copied.length > 0)
    .sort((a, b) => b.process.copied_pages - a.process.copied_pages);
  if (processes.length === 0) return null;

  const copied = new Map(processes.map((each) => [each, fromStart(each, each.copied)]));
  const fresh = new Map(processes.map((each) => [each, fromStart(each, each.fresh)]));
  const times = new Set<number>([0, run.report.duration_ns / 1e9]);
  for (const points of [...copied.values(), ...fresh.values()]) for (const point of points) times.add(point.seconds);
  let moments = [...times].sort((a, b) => a - b);
  // A screen has no more columns.
  const step = Math.ceil(moments.length / 3000);
  moments = moments.filter((_, i) => i % step === 0 || i === moments.length - 1);

  const lines = (mode: Mode): Line[] => {
    const made: Line[] = [];
    const add = (name: string, color: string, group: ProcessPages[]) => {
      const of = (points: Map<ProcessPages, Point[]>) => added(group.map((each) => interpolated(points.get(each)!, pageSize)));
      made.push({ label: `${name} copied`, color, isFresh: false, at: of(copied) });
      made.push({ label: `${name} fresh`, color, isFresh: true, at: of(fresh) });
    };
    if (mode === "sum") {
      add("all processes", lineColors[0], processes);
      return made;
    }
    const single = processes.length > mostLines ? mostLines - 1 : processes.length;
    processes.slice(0, single).forEach((each, i) => add(`${each.process.pid}`, lineColors[i], [each]));
    if (single < processes.length) add(`${processes.length - single} others`, lineColors[mostLines - 1], processes.slice(single));
    return made;
  };

  const box = element("div", { class: "plot" });
  let mode: Mode = "each";
  let plot: uPlot | null = null;

  const draw = () => {
    plot?.destroy();
    const all = lines(mode);
    const axis = { stroke: () => styleColor("--text"), grid: { stroke: () => styleColor("--line"), width: 1 }, ticks: { stroke: () => styleColor("--line") } };
    plot = new uPlot(
      {
        width: Math.max(300, box.clientWidth),
        height: 280,
        scales: { x: { time: false }, y: { range: (_, __, max) => [0, Math.max(max * 1.05, pageSize)] } },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map((tick) => `${tick} s`) },
          {
            ...axis,
            size: 80,
            // Whole steps of binary sizes.
            incrs: Array.from({ length: 34 }, (_, i) => 2 ** (i + 12)),
            values: (_, ticks) => ticks.map((tick) => (tick === 0 ? "0" : sizeText(tick).replace(".0 ", " "))),
          },
        ],
        cursor: { drag: { x: true, y: false } },
        legend: { live: true },
        series: [
          { label: "Time", value: (_, value) => (value === null ? "" : `${value.toFixed(3)} s`) },
          ...all.map((line) => ({
            label: line.label,
            stroke: line.color,
            width: line.isFresh ? 1.5 : 2,
            dash: line.isFresh ? [5, 4] : undefined,
            points: { show: false },
            spanGaps: false,
            value: (_: uPlot, value: number | null) => (value === null ? "–" : sizeText(value)),
          })),
        ],
      },
      [moments, ...all.map((line) => moments.map(line.at))] as uPlot.AlignedData,
      box,
    );
    const canvas = box.querySelector("canvas")!;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Copied and fresh memory of each process over time; the table below has the figures.");
  };

  // The box has no width before it is part of the page.
  let width = 0;
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    if (plot) plot.setSize({ width: Math.max(300, width), height: 280 });
    else draw();
  }).observe(box);
  onThemeChange(() => plot && draw());

  const moment = (each: ProcessPages, share: number) => {
    const points = copied.get(each)!;
    const pages = share * each.process.copied_pages;
    return points.find((point) => point.pages >= pages)?.seconds ?? 0;
  };
  const table = sortableTable({
    caption: "When each process copied",
    rows: processes,
    sortedBy: 3,
    shown: 10,
    columns: [
      { title: "Process", value: (each) => each.process.pid },
      { title: "Forked at", value: (each) => each.process.start_ns, cell: (each) => `${(each.process.start_ns / 1e9).toFixed(3)} s`, numeric: true },
      { title: "Half copied at", value: (each) => moment(each, 0.5), cell: (each) => `${moment(each, 0.5).toFixed(3)} s`, numeric: true },
      { title: "Copied pages", value: (each) => each.process.copied_pages, cell: (each) => grouped(each.process.copied_pages), numeric: true },
      { title: "Fresh pages", value: (each) => each.process.fresh_pages, cell: (each) => grouped(each.process.fresh_pages), numeric: true },
    ],
  });
  return section(
    "timeline",
    "Memory over time",
    "Solid lines: copied. Dashed lines: fresh, the process's own from the start. Drag to zoom, double-click to reset.",
    element(
      "div",
      { class: "controls" },
      choice("Lines", [["each", "Each process"], ["sum", "Sum"]], "each", (value) => {
        mode = value as Mode;
        draw();
      }),
    ),
    box,
    element("details", {}, element("summary", {}, "Figures as a table"), table.element),
  );
}
