// Each cause has one colour everywhere, in light and in dark. Neighbours in a report differ in
// lightness too, so that they are told apart without colour vision (after Okabe and Ito, and Tol);
// the name always stands beside.
import { element } from "./dom";

interface Cause {
  color: string;
  means: string; // "because …"
  helps: string;
  helpsPython?: string; // there, instead
}

const causes: Record<string, Cause> = {
  refcount: {
    color: "#d55e00",
    means: "a reference count was raised or lowered",
    helps:
      "Read through a reference or a view (such as std::string_view) instead of copying a shared_ptr or another counted handle; or keep the counts apart from the data, on fewer pages.",
    helpsPython:
      "Fewer counted objects, or counts on fewer pages: make equal values one object before the fork (sys.intern for strings), or hold the data in few large objects (array, bytes, NumPy arrays, shared memory).",
  },
  "gc-header": {
    color: "#cc79a7",
    means: "Python's garbage collector wrote to the headers of objects",
    helps: "gc.freeze() before the fork (Python 3.7 on), or gc.disable() in the child.",
  },
  "hash-cache": {
    color: "#e8d33f",
    means: "objects stored their hash",
    helps: "Ask for the hashes before the fork, for example by making the strings keys once.",
  },
  container: {
    color: "#0072b2",
    means: "a list, dict or set changed",
    helps: "Fill containers before the fork; in the child, collect into new ones.",
  },
  "code-cache": {
    color: "#56b4e9",
    means: "Python adapted a function's instructions",
    helps: "Call the code a few times before the fork.",
  },
  allocator: {
    color: "#009e73",
    means: "memory was taken or given back",
    helps: "Less garbage before the fork, so that children find few holes in shared pages.",
  },
  "runtime-state": {
    color: "#e69f00",
    means: "the interpreter wrote its own state",
    helps: "Seldom anything; it is few pages.",
  },
  stack: { color: "#a8487a", means: "threads wrote to their stacks", helps: "Nothing needs to; it is a few pages a process." },
  "lazy-binding": {
    color: "#8f8f2c",
    means: "the dynamic linker filled in addresses of functions",
    helps: "LD_BIND_NOW=1 in the environment, or linking with -Wl,-z,now.",
  },
  "library-data": { color: "#94703f", means: "variables of shared libraries were written", helps: "It is seldom much; the site names the function that writes." },
  store: {
    color: "#7867d8",
    means: "the program wrote its own data",
    helps: "Write before the fork, or put what is written often and what is only read on different pages.",
  },
  kernel: {
    color: "#768390",
    means: "the kernel wrote for the program, for example with read(2)",
    helps: "Allocate such buffers after the fork.",
  },
  unknown: { color: "#a9b1ba", means: "nobody saw who wrote", helps: "cowscope doctor says what this machine lacks to see the writers, and what would allow it." },
};

export const causeNames = Object.keys(causes);

export function causeOf(name: string): Cause {
  return causes[name] ?? causes.unknown;
}

export function causeHelp(name: string, isPython: boolean): string {
  const { helps, helpsPython } = causeOf(name);
  return isPython && helpsPython ? helpsPython : helps;
}

export function causeColor(name: string): string {
  return causeOf(name).color;
}

function luminance(color: string): number {
  const part = (at: number) => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
}

// Black or white, whichever stands out more.
export function textOn(color: string): string {
  return luminance(color) > 0.179 ? "#000" : "#fff";
}

export function swatch(cause: string): HTMLElement {
  return element("span", { class: "swatch", style: `background:${causeColor(cause)}`, "aria-hidden": "true" });
}

export function causeLabel(cause: string): HTMLElement {
  return element("span", { class: "cause" }, swatch(cause), cause);
}
