// Building elements. Names come from the watched program: text is always set as text.

export type Child = Node | string | number | null | undefined | false;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number | boolean | EventListener | undefined> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, String(value));
  }
  append(made, ...children);
  return made;
}

export function append(parent: Element, ...children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(typeof child === "number" ? String(child) : child);
  }
}

// A part of the page with its heading.
export function section(id: string, title: string, intro: string, ...children: Child[]): HTMLElement {
  return element(
    "section",
    { id, "aria-labelledby": id + "-title" },
    element("h2", { id: id + "-title" }, title),
    intro !== "" && element("p", { class: "intro" }, intro),
    ...children,
  );
}

// One of several, as buttons of which one is pressed.
export function choice<T extends string>(
  label: string,
  options: [T, string][],
  chosen: T,
  onChoice: (value: T) => void,
): HTMLElement {
  const group = element("div", { class: "choice", role: "group", "aria-label": label });
  for (const [value, text] of options) {
    const button = element("button", { type: "button", "data-value": value }, text);
    button.setAttribute("aria-pressed", String(value === chosen));
    button.addEventListener("click", () => {
      for (const each of group.querySelectorAll("button")) {
        each.setAttribute("aria-pressed", String(each === button));
      }
      onChoice(value);
    });
    group.append(button);
  }
  return group;
}
