// Lines of memory over time.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { Point } from "./data";
import { element } from "./dom";
import { sizeText } from "./format";
import { onThemeChange, styleColor } from "./theme";

export type Course = (seconds: number) => number | null; // bytes

export interface Line {
  label: string;
  color: string;
  width: number;
  dash?: number[];
  at: Course;
}

// The value at a time, on straight lines between points; null before the first and after the last.
export function interpolated(points: Point[], pageSize: number): Course {
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

export function added(lines: Course[]): Course {
  return (seconds) => {
    let sum: number | null = null;
    for (const line of lines) {
      const value = line(seconds);
      if (value !== null) sum = (sum ?? 0) + value;
    }
    return sum;
  };
}

export interface Plot {
  element: HTMLElement;
  draw: () => void;
}

// `lines` is asked at each drawing. `description` is for those who do not see it.
export function memoryPlot(times: Set<number>, lines: () => Line[], description: string): Plot {
  let moments = [...times].sort((a, b) => a - b);
  // A screen has no more columns.
  const step = Math.ceil(moments.length / 3000);
  moments = moments.filter((_, i) => i % step === 0 || i === moments.length - 1);
  const box = element("div", { class: "plot" });
  let plot: uPlot | null = null;

  const draw = () => {
    plot?.destroy();
    const all = lines();
    const axis = { stroke: () => styleColor("--text"), grid: { stroke: () => styleColor("--line"), width: 1 }, ticks: { stroke: () => styleColor("--line") } };
    plot = new uPlot(
      {
        width: Math.max(300, box.clientWidth),
        height: 280,
        scales: { x: { time: false }, y: { range: (_, __, max) => [0, Math.max(max * 1.05, 4096)] } },
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
            width: line.width,
            dash: line.dash,
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
    canvas.setAttribute("aria-label", description);
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
  return { element: box, draw };
}
