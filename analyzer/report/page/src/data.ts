// What analyzer/report/page_data.cpp writes, unpacked.

export interface ProcessSummary {
  pid: number;
  parent: number;
  role: "root" | "fork" | "exec";
  command: string;
  start_ns: number;
  end_ns: number;
  exit: { kind: string; value: number };
  census: string;
  inherited_pages: number;
  copied_pages: number;
  fresh_pages: number;
  held_alone_pages: number;
  lost_events: number;
}

export interface Place {
  module: string;
  short_function: string;
  file: string;
  line: number;
  python: { function: string; file: string; line: number }[];
  stack: string[];
  mixed_stack?: string[];
}

export interface Site extends Place {
  cause: string;
  pages: number;
  function: string;
  inlined: string;
  instruction: string;
  evidence: string;
  type: string;
  examples: string[];
  mixed_stack: string[];
  finalizing: boolean;
  change: number; // on a page that compares: place in Diff.sites, or -1
}

// Of one that copied after the recording had reached its bound.
export interface LaterPlace extends Place {
  copies: number;
}

export interface Report {
  trace: string;
  command: string[];
  duration_ns: number;
  page_size: number;
  tracker: string;
  witness: string;
  sample: string;
  notes: string[];
  totals: {
    processes: number;
    inherited_pages: number;
    copied_pages: number;
    fresh_pages: number;
    witnessed_pages: number;
    explained: number;
    copied_at_least: boolean;
    lost_events: number;
    finalization_pages: number;
  };
  processes: ProcessSummary[];
  causes: { cause: string; pages: number; share: number; types: { type: string; pages: number }[] }[];
  sites: Site[];
  owners: {
    owner: string;
    pages: number;
    share: number;
    causes: { cause: string; pages: number }[];
    types: { type: string; pages: number }[];
  }[];
  advice: { kind: string; owner: string; pages: number; share: number; text: string }[];
  after_bound?: {
    limit_bytes: number;
    copies: number;
    without_site: number;
    by_kernel: number;
    late: number;
    sites: LaterPlace[];
  };
}

export interface Frame {
  text: string;
  short: string;
  isPython: boolean;
}

export interface Stack {
  cause: string;
  pages: number;
  native: Frame[]; // innermost first
  mixed: Frame[]; // the same; empty without Python
}

// What copied pages have in common. Kind 0 is "inherited, and not copied".
export interface Kind {
  cause: string;
  site: number; // place in Report.sites, or -1
  type: string;
  owner: string;
}

export interface Region {
  start: number; // page numbers
  end: number;
  name: string;
}

export interface ProcessPages {
  process: ProcessSummary;
  // Runs of pages, ascending: number of the first page, count, kind.
  starts: Float64Array;
  lengths: Float64Array;
  kinds: Uint32Array;
  regions: Region[];
  copied: Point[];
  fresh: Point[];
}

export interface Point {
  seconds: number;
  pages: number;
}

export interface Run {
  report: Report;
  siteCount: number;
  stacks: Stack[];
  kinds: Kind[]; // kinds[0] stands for pages that were not copied
  processes: ProcessPages[];
}

// One line of what changed: pages, or pages for each forked process where Diff.per_process.
export interface Change {
  before_pages: number;
  after_pages: number;
  change_pages: number;
  state: "same" | "changed" | "new" | "gone";
}

export interface DiffSide {
  trace: string;
  command: string[];
  forked_processes: number;
  copied_pages: number;
}

// What `cowscope diff --format json` writes, and its first lines in words.
export interface Diff {
  page_size: number;
  before: DiffSide;
  after: DiffSide;
  per_process: boolean;
  copied: Change;
  causes: (Change & { cause: string })[];
  types: (Change & { type: string })[];
  owners: (Change & { owner: string })[];
  sites: (Change & { site: string })[];
  site_count: number;
  summary: { total: string; most: string; owner: string; reason: string };
}

// One run, or two that are compared.
export interface PageData {
  runs: Run[];
  diff: Diff | null;
}

function sums(deltas: number[]): number[] {
  let sum = 0;
  return deltas.map((delta) => (sum += delta));
}

function points([times, pages]: [number[], number[]]): Point[] {
  const counts = sums(pages);
  return sums(times).map((time, i) => ({ seconds: time / 1e6, pages: counts[i] }));
}

function unpackRun(raw: any): Run {
  const strings: string[] = raw.strings;
  const frames: Frame[] = raw.frames.map(([text, short, python]: number[]) => ({
    text: strings[text],
    short: strings[short],
    isPython: python === 1,
  }));
  const report: Report = raw.report;
  for (const site of raw.report.sites) {
    site.stack = site.stack.map((id: number) => strings[id]);
    site.mixed_stack = site.mixed_stack.map((id: number) => strings[id]);
  }
  const kinds: Kind[] = [{ cause: "", site: -1, type: "", owner: "" }];
  for (const [cause, site, type, owner] of raw.kinds) {
    kinds.push({ cause: strings[cause], site, type: strings[type], owner: strings[owner] });
  }
  return {
    report,
    siteCount: raw.site_count,
    kinds,
    stacks: raw.stacks.map(([cause, pages, native, mixed]: any) => ({
      cause: strings[cause],
      pages,
      native: native.map((id: number) => frames[id]),
      mixed: mixed.map((id: number) => frames[id]),
    })),
    processes: raw.processes.map((each: any) => {
      const starts = new Float64Array(each.gaps.length);
      let done = 0;
      for (let i = 0; i < starts.length; ++i) {
        starts[i] = done + each.gaps[i];
        done = starts[i] + each.lengths[i];
      }
      return {
        process: report.processes[each.index],
        starts,
        lengths: Float64Array.from(each.lengths),
        kinds: Uint32Array.from(each.kinds),
        regions: each.regions.map(([start, end, name]: number[]) => ({
          start,
          end,
          name: strings[name],
        })),
        copied: points(each.copied),
        fresh: points(each.fresh),
      };
    }),
  };
}

// The data is JSON, deflated, in base64.
export async function readPage(packed: string): Promise<PageData> {
  const binary = atob(packed.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; ++i) bytes[i] = binary.charCodeAt(i);
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const data = JSON.parse(await new Response(inflated).text());
  return { runs: data.runs.map(unpackRun), diff: data.diff ?? null };
}
