// The flame graph of copied bytes, of one run or of two that are compared: boxes of HTML, so that
// text, focus and print come with them.
import { hierarchy, HierarchyRectangularNode, partition } from "d3-hierarchy";
import { causeColor, causeLabel, causeNames, textOn } from "./causes";
import { Frame, Run, Stack } from "./data";
import { append, Child, choice, element, section } from "./dom";
import { grouped, percent, shortPlace, sizeText } from "./format";

type Mode = "python" | "native" | "both";

export interface Node {
  name: string;
  full: string;
  isPython: boolean;
  pages: number[]; // of each run
  causes: { cause: string; pages: number[] }[];
  key: string;
  parent: Node | null;
  children: Node[];
  byKey: Map<string, Node> | null; // where there are many children
}

// What makes the one flame graph another than the other.
export interface Look {
  title: string;
  intro: string;
  // What a page of each run counts.
  scales: number[];
  // The names of runs between which the width of boxes can be switched, and the one to begin with.
  widths: { names: string[]; first: number } | null;
  // How frames are told apart and named: in two runs the same function may have moved.
  frameText: (text: string) => string;
  color: (node: Node) => string;
  mark: (node: Node) => string; // before the name
  label: (node: Node, root: Node) => string; // after it, for those who do not see the box
  describe: (node: Node, root: Node) => Child[];
  found: (shares: number[]) => string;
  legend: HTMLElement[];
  // Native frames are pale, or else as the others are: where shades mean something.
  paleNative: boolean;
}
type Box = HierarchyRectangularNode<Node>;

const rowHeight = 20;
const leastWidth = 1.5; // pixels; what is narrower is left out

function newNode(name: string, full: string, isPython: boolean, key: string, parent: Node | null, runs: number): Node {
  return { name, full, isPython, pages: runs === 1 ? [0] : [0, 0], causes: [], key, parent, children: [], byKey: null };
}

// There may be a million nodes, most of them with one child.
function childOf(node: Node, key: string): Node | undefined {
  if (node.byKey) return node.byKey.get(key);
  for (const child of node.children) if (child.key === key) return child;
  return undefined;
}

function addChild(node: Node, child: Node): void {
  node.children.push(child);
  if (node.byKey) node.byKey.set(child.key, child);
  else if (node.children.length > 8) node.byKey = new Map(node.children.map((each) => [each.key, each]));
}

function addPages(node: Node, run: number, cause: string, pages: number): void {
  node.pages[run] += pages;
  for (const each of node.causes) {
    if (each.cause === cause) {
      each.pages[run] += pages;
      return;
    }
  }
  const each = { cause, pages: node.pages.length === 1 ? [0] : [0, 0] };
  each.pages[run] = pages;
  node.causes.push(each);
}

function framesOf(stack: Stack, mode: Mode): Frame[] {
  if (mode === "native") return stack.native;
  if (mode === "both") return stack.mixed.length > 0 ? stack.mixed : stack.native;
  const python = stack.mixed.filter((frame) => frame.isPython);
  return python.length > 0 ? python : [{ text: "(outside Python)", short: "(outside Python)", isPython: false }];
}

// Copies of which there is no stack: the kernel's, those of which nobody saw the writer, and rare
// ones that the page does not hold.
function withoutStack(run: Run): [string, number][] {
  const left = new Map(run.report.causes.map((each) => [each.cause, each.pages]));
  for (const stack of run.stacks) left.set(stack.cause, (left.get(stack.cause) ?? 0) - stack.pages);
  return [...left].filter(([, pages]) => pages > 0);
}

interface ShownFrame {
  key: string;
  name: string;
  full: string;
}

function treeOf(runs: Run[], look: Look, mode: Mode, inverted: boolean): Node {
  const root = newNode("all copies", "all copies", false, "", null, runs.length);
  const frames = new Map<Frame, ShownFrame>();
  const shownFrame = (frame: Frame) => {
    let shown = frames.get(frame);
    if (!shown) {
      const full = look.frameText(frame.text);
      shown = { key: (frame.isPython ? "p" : "n") + full, name: shortPlace(look.frameText(frame.short)), full };
      frames.set(frame, shown);
    }
    return shown;
  };
  runs.forEach((run, at) => {
    const take = (frames: Frame[], cause: string, pages: number) => {
      let node = root;
      addPages(node, at, cause, pages);
      const last = frames.length - 1;
      for (let i = 0; i <= last; ++i) {
        const frame = frames[inverted ? i : last - i];
        const { key, name, full } = shownFrame(frame);
        let next = childOf(node, key);
        if (!next) {
          next = newNode(name, full, frame.isPython, key, node, runs.length);
          addChild(node, next);
        }
        addPages(next, at, cause, pages);
        node = next;
      }
    };
    const scale = look.scales[at];
    for (const stack of run.stacks) take(framesOf(stack, mode), stack.cause, stack.pages * scale);
    for (const [cause, pages] of withoutStack(run)) {
      const text = cause === "kernel" || cause === "unknown" ? `(${cause})` : "(rare stacks)";
      take([{ text, short: text, isPython: false }], cause, pages * scale);
    }
  });
  return root;
}

function mainCause(node: Node): string {
  let main = "unknown";
  let most = -1;
  for (const { cause, pages } of node.causes) if (pages[0] > most) [main, most] = [cause, pages[0]];
  return main;
}

const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);

export function flameSection(run: Run): HTMLElement | null {
  const { report } = run;
  const share = (node: Node, root: Node) => percent(node.pages[0] / root.pages[0]);
  const size = (node: Node) => sizeText(node.pages[0] * report.page_size);
  return flameGraph([run], {
    title: "Who wrote: flame graph of copied bytes",
    intro: "Each box is a function; the wider, the more it copied together with what it called. Callers are on top. The colour is the main cause. Click a box to zoom.",
    scales: [1],
    widths: null,
    frameText: (text) => text,
    color: (node) => causeColor(mainCause(node)),
    mark: () => "",
    label: (node, root) => `${size(node)}, ${share(node, root)}`,
    describe: (node, root) => {
      const causes = [...node.causes].sort((a, b) => b.pages[0] - a.pages[0]).slice(0, 4);
      return [
        `${size(node)}, ${grouped(node.pages[0])} pages, ${share(node, root)} of the copies: `,
        ...causes.flatMap(({ cause, pages }) => [causeLabel(cause), ` ${percent(pages[0] / node.pages[0])}  `]),
      ];
    },
    found: ([share]) => `${percent(share)} of the copies`,
    legend: causeNames.filter((cause) => report.causes.some((each) => each.cause === cause)).map(causeLabel),
    paleNative: true,
  });
}

export function flameGraph(runs: Run[], look: Look): HTMLElement | null {
  if (runs.every((run) => run.report.totals.copied_pages === 0 || run.stacks.length === 0)) return null;
  const hasPython = runs.some((run) => run.stacks.some((stack) => stack.mixed.length > 0));
  // The run that widths are of.
  let shown = look.widths?.first ?? 0;
  let mode: Mode = hasPython ? "both" : "native";
  let inverted = false;
  let wanted = "";
  let root: Node;
  let zoomed: Node;
  let focused: Node;

  const graph = element("div", { class: look.paleNative ? "flame pale" : "flame", role: "tree", id: "flame-graph", "aria-label": "Flame graph of copied bytes. Arrow keys move, Enter zooms, Escape shows all." });
  const scroll = element("div", { class: "scroll" }, graph);
  const info = element("p", { class: "flame-info", role: "status" });
  const found = element("span", { class: "small", role: "status", id: "flame-found" });
  const unseen = element("p", { class: "small", id: "flame-unseen" });

  const describe = (node: Node) => {
    info.replaceChildren(element("strong", {}, node.full), ` ${node === root ? "" : node.isPython ? "(Python) " : "(native) "}— `);
    append(info, ...look.describe(node, root));
  };
  // Many boxes are of the same function.
  let known = new Map<string, boolean>();
  const matches = (node: Node) => {
    let is = known.get(node.full);
    if (is === undefined) known.set(node.full, (is = wanted !== "" && node.full.toLowerCase().includes(wanted)));
    return is;
  };

  // The boxes that are wide enough, and those above the zoomed one.
  function layout(width: number): Box {
    const path = new Map<Node, Node>();
    for (let node = zoomed; node.parent; node = node.parent) path.set(node.parent, node);
    const least = (leastWidth * zoomed.pages[shown]) / width;
    const data = hierarchy<Node>(root, (node) => (path.has(node) ? [path.get(node)!] : node.children.filter((child) => child.pages[shown] > 0 && child.pages[shown] >= least)));
    data.each((each) => ((each as any).value = each.data.pages[shown]));
    data.sort((a, b) => sum(b.data.pages) - sum(a.data.pages));
    return partition<Node>()(data as any);
  }

  const boxes = new Map<Node, { box: Box; div: HTMLElement }>();
  function draw(): void {
    boxes.clear();
    const width = graph.clientWidth;
    const top = layout(width);
    const { x0: left, x1: right, depth: zoomedDepth } = top.find((box) => box.data === zoomed)!;
    const scale = width / (right - left);
    const made: HTMLElement[] = [];
    let deepest = 0;
    top.each((box) => {
      const x0 = Math.max(box.x0, left);
      const x1 = Math.min(box.x1, right);
      const node = box.data;
      const color = look.color(node);
      const isAbove = box.depth < zoomedDepth;
      const label = `${node.name}, ${look.label(node, root)}`;
      const mark = look.mark(node);
      const room = (x1 - x0) * scale;
      const div = element(
        "div",
        {
          role: "treeitem",
          class: ["frame", node.isPython || !hasPython ? "python" : "native", node === root && "all", isAbove && "above", wanted !== "" && (matches(node) ? "match" : "miss")].filter(Boolean).join(" "),
          style: `left:${(x0 - left) * scale}px;width:${Math.max(1, (x1 - x0) * scale - 1)}px;top:${box.depth * rowHeight}px;--cause:${color};--on-cause:${textOn(color)}`,
          "aria-level": box.depth + 1,
          "aria-label": label,
          tabindex: node === focused ? 0 : -1,
        },
        room < 26 ? "" : [mark, node.name].join(" ").trim(),
      );
      div.addEventListener("click", () => zoom(node));
      div.addEventListener("mouseenter", () => describe(node));
      div.addEventListener("focus", () => {
        describe(node);
        boxes.get(focused)?.div.setAttribute("tabindex", "-1");
        focused = node;
        div.setAttribute("tabindex", "0");
      });
      boxes.set(node, { box, div });
      deepest = Math.max(deepest, box.depth);
      made.push(div);
    });
    graph.style.height = `${(deepest + 1) * rowHeight}px`;
    graph.replaceChildren(...made);
    if (!boxes.has(focused)) {
      focused = zoomed;
      boxes.get(zoomed)?.div.setAttribute("tabindex", "0");
    }
    found.textContent = wanted === "" ? "" : look.found(runs.map((_, at) => share(matchedPages(root, at), at)));
  }

  const share = (pages: number, at: number) => (root.pages[at] === 0 ? 0 : pages / root.pages[at]);

  // Nested matches count once.
  function matchedPages(node: Node, at: number): number {
    if (matches(node)) return node.pages[at];
    let pages = 0;
    for (const child of node.children) pages += matchedPages(child, at);
    return pages;
  }

  // Of boxes that have no width.
  function unseenPages(node: Node): number {
    if (node.pages[shown] === 0) return sum(node.pages);
    let pages = 0;
    for (const child of node.children) pages += unseenPages(child);
    return pages;
  }

  function zoom(node: Node): void {
    const hadFocus = graph.contains(document.activeElement);
    zoomed = node;
    focused = node;
    draw();
    describe(node);
    if (hadFocus) boxes.get(node)?.div.focus({ preventScroll: true });
  }

  function build(): void {
    root = treeOf(runs, look, mode, inverted);
    showAll();
  }

  function showAll(): void {
    zoom(root);
    if (!look.widths) return;
    const pages = unseenPages(root);
    unseen.textContent =
      pages === 0 ? "" : `Not drawn: ${sizeText(pages * runs[0].report.page_size)} that only the run ${look.widths.names[1 - shown].toLowerCase()} the change copied here.`;
  }

  graph.addEventListener("keydown", (event) => {
    const box = boxes.get(focused)!.box;
    const siblings = box.parent?.children ?? [box];
    const beside = (step: number) => siblings[siblings.indexOf(box) + step]?.data;
    const target: Record<string, () => Node | null | undefined> = {
      ArrowDown: () => box.children?.[0].data,
      ArrowUp: () => focused.parent,
      ArrowLeft: () => beside(-1),
      ArrowRight: () => beside(1),
      Home: () => root,
    };
    if (event.key === "Enter" || event.key === " ") zoom(focused);
    else if (event.key === "Escape") zoom(root);
    else if (target[event.key]) {
      const next = target[event.key]();
      if (next) boxes.get(next)?.div.focus();
    } else return;
    event.preventDefault();
  });

  const search = element("input", { type: "search", id: "flame-search", placeholder: "function or file" });
  search.addEventListener("input", () => {
    wanted = search.value.trim().toLowerCase();
    known = new Map();
    draw();
    const first = graph.querySelector<HTMLElement>(".match");
    if (first) scroll.scrollTop = first.offsetTop - 5 * rowHeight;
  });
  const reset = element("button", { type: "button" }, "Show all");
  reset.addEventListener("click", () => zoom(root));
  const invert = element("input", { type: "checkbox", id: "flame-inverted" });
  invert.addEventListener("change", () => {
    inverted = invert.checked;
    build();
  });

  let width = 0;
  new ResizeObserver(() => {
    if (graph.clientWidth === width) return;
    width = graph.clientWidth;
    if (root) draw();
    else build();
  }).observe(graph);

  const legend = element(
    "p",
    { class: "legend" },
    ...look.legend,
    hasPython && look.paleNative && element("span", { class: "cause" }, element("span", { class: "key python" }), "Python frame"),
    hasPython && look.paleNative && element("span", { class: "cause" }, element("span", { class: "key native" }), "native frame"),
    hasPython && !look.paleNative && element("em", {}, "native frame"),
  );
  return section(
    "flame",
    look.title,
    look.intro,
    element(
      "div",
      { class: "controls" },
      look.widths && element("span", { "aria-hidden": "true" }, "Width"),
      look.widths &&
        choice("Width", look.widths.names.map((name, at) => [`${at}`, name]), `${shown}`, (value) => {
          shown = Number(value);
          showAll();
        }),
      hasPython && choice("Frames", [["both", "Both"], ["python", "Python"], ["native", "Native"]], mode, (value) => {
        mode = value as Mode;
        build();
      }),
      element("label", { class: "check" }, invert, "Inverted (writers on top)"),
      element("label", { for: "flame-search" }, "Search"),
      search,
      found,
      reset,
    ),
    legend,
    scroll,
    look.widths && unseen,
    info,
  );
}
