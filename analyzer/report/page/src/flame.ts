// The flame graph of copied bytes: boxes of HTML, so that text, focus and print come with them.
import { hierarchy, HierarchyRectangularNode, partition } from "d3-hierarchy";
import { causeColor, causeLabel, causeNames, textOn } from "./causes";
import { Frame, Run, Stack } from "./data";
import { append, choice, element, section } from "./dom";
import { grouped, percent, shortPlace, sizeText } from "./format";

type Mode = "python" | "native" | "both";

interface Node {
  name: string;
  full: string;
  isPython: boolean;
  pages: number;
  causes: Map<string, number>;
  byFrame: Map<string, Node>;
  children: Node[];
}
type Box = HierarchyRectangularNode<Node>;

const rowHeight = 20;
const leastWidth = 1.5; // pixels; what is narrower is left out

function newNode(name: string, full: string, isPython: boolean): Node {
  return { name, full, isPython, pages: 0, causes: new Map(), byFrame: new Map(), children: [] };
}

function framesOf(stack: Stack, mode: Mode): Frame[] {
  if (mode === "native") return stack.native;
  if (mode === "both") return stack.mixed.length > 0 ? stack.mixed : stack.native;
  const python = stack.mixed.filter((frame) => frame.isPython);
  return python.length > 0 ? python : [{ text: "(outside Python)", short: "(outside Python)", isPython: false }];
}

function treeOf(stacks: Stack[], mode: Mode, inverted: boolean, withoutStack: [string, number][]): Node {
  const root = newNode("all copies", "all copies", false);
  const take = (frames: Frame[], cause: string, pages: number) => {
    const add = (node: Node) => {
      node.pages += pages;
      node.causes.set(cause, (node.causes.get(cause) ?? 0) + pages);
    };
    let node = root;
    add(node);
    const last = frames.length - 1;
    for (let i = 0; i <= last; ++i) {
      const frame = frames[inverted ? i : last - i];
      const key = (frame.isPython ? "p" : "n") + frame.text;
      let next = node.byFrame.get(key);
      if (!next) {
        next = newNode(shortPlace(frame.short), frame.text, frame.isPython);
        node.byFrame.set(key, next);
        node.children.push(next);
      }
      add(next);
      node = next;
    }
  };
  for (const stack of stacks) take(framesOf(stack, mode), stack.cause, stack.pages);
  // The kernel's copies, and those of which nobody saw the writer.
  for (const [cause, pages] of withoutStack) {
    const text = cause === "kernel" || cause === "unknown" ? `(${cause})` : "(rare stacks)";
    take([{ text, short: text, isPython: false }], cause, pages);
  }
  return root;
}

function mainCause(node: Node): string {
  let main = "unknown";
  let most = -1;
  for (const [cause, pages] of node.causes) if (pages > most) [main, most] = [cause, pages];
  return main;
}

export function flameSection(run: Run): HTMLElement | null {
  const report = run.report;
  const total = report.totals.copied_pages;
  if (total === 0 || run.stacks.length === 0) return null;
  const left = new Map(report.causes.map((each) => [each.cause, each.pages]));
  for (const stack of run.stacks) left.set(stack.cause, (left.get(stack.cause) ?? 0) - stack.pages);
  const withoutStack = [...left].filter(([, pages]) => pages > 0);
  const hasPython = run.stacks.some((stack) => stack.mixed.length > 0);
  let mode: Mode = hasPython ? "both" : "native";
  let inverted = false;
  let wanted = "";
  let root: Box;
  let zoomed: Box;
  let focused: Box;

  const graph = element("div", { class: "flame", role: "tree", id: "flame-graph", "aria-label": "Flame graph of copied bytes. Arrow keys move, Enter zooms, Escape shows all." });
  const scroll = element("div", { class: "scroll" }, graph);
  const info = element("p", { class: "flame-info", role: "status" });
  const found = element("span", { class: "small", role: "status", id: "flame-found" });

  const share = (node: Node) => percent(node.pages / total);
  const describe = (box: Box) => {
    const node = box.data;
    const causes = [...node.causes].sort((a, b) => b[1] - a[1]).slice(0, 4);
    info.replaceChildren(
      element("strong", {}, node.full),
      ` ${node === root.data ? "" : node.isPython ? "(Python) " : "(native) "}— ${sizeText(node.pages * report.page_size)}, ${grouped(node.pages)} pages, ${share(node)} of the copies: `,
    );
    for (const [cause, pages] of causes) append(info, causeLabel(cause), ` ${percent(pages / node.pages)}  `);
  };
  const matches = (node: Node) => wanted !== "" && node.full.toLowerCase().includes(wanted);

  const boxes = new Map<Box, HTMLElement>();
  const drawn: Box[] = [];
  function draw(): void {
    boxes.clear();
    drawn.length = 0;
    const width = graph.clientWidth;
    const [left, right] = [zoomed.x0, zoomed.x1];
    const scale = width / (right - left);
    const made: HTMLElement[] = [];
    let deepest = 0;
    root.each((box) => {
      const x0 = Math.max(box.x0, left);
      const x1 = Math.min(box.x1, right);
      if ((x1 - x0) * scale < leastWidth) return;
      const node = box.data;
      const color = causeColor(mainCause(node));
      const isAbove = box.depth < zoomed.depth;
      const label = `${node.name}, ${sizeText(node.pages * report.page_size)}, ${share(node)}`;
      const div = element(
        "div",
        {
          role: "treeitem",
          class: ["frame", node.isPython || !hasPython ? "python" : "native", box === root && "all", isAbove && "above", wanted !== "" && (matches(node) ? "match" : "miss")].filter(Boolean).join(" "),
          style: `left:${(x0 - left) * scale}px;width:${Math.max(1, (x1 - x0) * scale - 1)}px;top:${box.depth * rowHeight}px;--cause:${color};--on-cause:${textOn(color)}`,
          "aria-level": box.depth + 1,
          "aria-label": label,
          tabindex: box === focused ? 0 : -1,
        },
        (x1 - x0) * scale < 26 ? "" : node.name,
      );
      div.addEventListener("click", () => zoom(box));
      div.addEventListener("mouseenter", () => describe(box));
      div.addEventListener("focus", () => {
        describe(box);
        boxes.get(focused)?.setAttribute("tabindex", "-1");
        focused = box;
        div.setAttribute("tabindex", "0");
      });
      boxes.set(box, div);
      drawn.push(box);
      deepest = Math.max(deepest, box.depth);
      made.push(div);
    });
    graph.style.height = `${(deepest + 1) * rowHeight}px`;
    graph.replaceChildren(...made);
    if (!boxes.has(focused)) {
      focused = zoomed;
      boxes.get(zoomed)?.setAttribute("tabindex", "0");
    }
    found.textContent = wanted === "" ? "" : `${percent(matchedPages(root.data) / total)} of the copies`;
  }

  // Nested matches count once.
  function matchedPages(node: Node): number {
    if (matches(node)) return node.pages;
    return node.children.reduce((sum, child) => sum + matchedPages(child), 0);
  }

  function zoom(box: Box): void {
    const hadFocus = graph.contains(document.activeElement);
    zoomed = box;
    focused = box;
    draw();
    describe(box);
    if (hadFocus) boxes.get(box)?.focus({ preventScroll: true });
  }

  function build(): void {
    const data = hierarchy<Node>(treeOf(run.stacks, mode, inverted, withoutStack), (node) => node.children);
    data.each((each) => ((each as any).value = each.data.pages));
    data.sort((a, b) => b.data.pages - a.data.pages);
    root = partition<Node>()(data as any);
    zoomed = root;
    focused = root;
    draw();
    describe(root);
  }

  graph.addEventListener("keydown", (event) => {
    const siblings = () => (focused.parent?.children ?? []).filter((box) => boxes.has(box));
    const beside = (step: number) => siblings()[siblings().indexOf(focused) + step];
    const visibleChild = () => focused.children?.find((box) => boxes.has(box));
    const target: Record<string, () => Box | null | undefined> = {
      ArrowDown: visibleChild,
      ArrowUp: () => focused.parent,
      ArrowLeft: () => beside(-1),
      ArrowRight: () => beside(1),
      Home: () => root,
    };
    if (event.key === "Enter" || event.key === " ") zoom(focused);
    else if (event.key === "Escape") zoom(root);
    else if (target[event.key]) {
      const next = target[event.key]();
      if (next) boxes.get(next)?.focus();
    } else return;
    event.preventDefault();
  });

  const search = element("input", { type: "search", id: "flame-search", placeholder: "function or file" });
  search.addEventListener("input", () => {
    wanted = search.value.trim().toLowerCase();
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

  const present = causeNames.filter((cause) => report.causes.some((each) => each.cause === cause));
  const legend = element(
    "p",
    { class: "legend" },
    ...present.map((cause) => causeLabel(cause)),
    hasPython && element("span", { class: "cause" }, element("span", { class: "key python" }), "Python frame"),
    hasPython && element("span", { class: "cause" }, element("span", { class: "key native" }), "native frame"),
  );
  return section(
    "flame",
    "Who wrote: flame graph of copied bytes",
    "Each box is a function; the wider, the more it copied together with what it called. Callers are on top. The colour is the main cause. Click a box to zoom.",
    element(
      "div",
      { class: "controls" },
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
    info,
  );
}
