// The pages of one process as one row from the first to the last, without the gaps between them.
import { Kind, ProcessPages, Region } from "./data";

export interface MapRegion extends Region {
  first: number; // ordinals of its pages: [first, last)
  last: number;
}

// What lies in some pages that follow each other.
export interface Content {
  pages: number;
  kinds: Map<number, number>; // pages, by kind
}

export class PageMap {
  readonly count: number;
  readonly regions: MapRegion[] = [];
  private readonly ordinals: Float64Array; // of each run's first page

  constructor(private readonly pages: ProcessPages) {
    this.ordinals = new Float64Array(pages.starts.length);
    let count = 0;
    for (let i = 0; i < pages.starts.length; ++i) {
      this.ordinals[i] = count;
      count += pages.lengths[i];
    }
    this.count = count;
    for (const region of pages.regions) {
      const first = this.ordinalOf(region.start);
      const last = this.ordinalOf(region.end);
      if (last > first) this.regions.push({ ...region, first, last });
    }
  }

  // Of the first page at or behind that number.
  private ordinalOf(page: number): number {
    const run = lastNotAbove(this.pages.starts, page);
    if (run < 0) return 0;
    return this.ordinals[run] + Math.min(page - this.pages.starts[run], this.pages.lengths[run]);
  }

  pageOf(ordinal: number): number {
    const run = lastNotAbove(this.ordinals, ordinal);
    return this.pages.starts[run] + (ordinal - this.ordinals[run]);
  }

  regionOf(ordinal: number): MapRegion | undefined {
    let low = 0;
    let high = this.regions.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const region = this.regions[middle];
      if (ordinal < region.first) high = middle - 1;
      else if (ordinal >= region.last) low = middle + 1;
      else return region;
    }
    return undefined;
  }

  // Calls `sink` for `cells` groups of `perCell` pages from `first` on; the last may be smaller.
  forEachCell(first: number, perCell: number, end: number, sink: (cell: number, content: Content) => void): void {
    const { lengths, kinds } = this.pages;
    let run = Math.max(0, lastNotAbove(this.ordinals, first));
    for (let cell = 0, at = first; at < end; ++cell, at += perCell) {
      const stop = Math.min(at + perCell, end);
      const content: Content = { pages: stop - at, kinds: new Map() };
      for (let from = at; from < stop; ) {
        const runEnd = this.ordinals[run] + lengths[run];
        const to = Math.min(stop, runEnd);
        content.kinds.set(kinds[run], (content.kinds.get(kinds[run]) ?? 0) + to - from);
        if (to === runEnd) ++run;
        from = to;
      }
      sink(cell, content);
    }
  }

  content(first: number, end: number): Content {
    let found: Content = { pages: 0, kinds: new Map() };
    this.forEachCell(first, Math.max(1, end - first), end, (_, content) => (found = content));
    return found;
  }
}

function lastNotAbove(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export interface CauseSum {
  copied: number;
  main: string; // "" where nothing was copied
  causes: Map<string, number>;
}

export function causesOf(content: Content, kinds: Kind[]): CauseSum {
  const causes = new Map<string, number>();
  let copied = 0;
  for (const [kind, pages] of content.kinds) {
    if (kind === 0) continue;
    copied += pages;
    const cause = kinds[kind].cause;
    causes.set(cause, (causes.get(cause) ?? 0) + pages);
  }
  let main = "";
  for (const [cause, pages] of causes) if (main === "" || pages > causes.get(main)!) main = cause;
  return { copied, main, causes };
}
