// Where something was written, as a reader of the source knows it.
import { Place } from "./data";
import { append, element } from "./dom";
import { lastComponent, shortPlace } from "./format";

export function placeOf(place: Place): string {
  if (place.python.length > 0) {
    const line = place.python[0];
    return `${line.function} (${lastComponent(line.file)}:${line.line})`;
  }
  if (place.mixed_stack && place.mixed_stack.length > 0) return place.mixed_stack[0];
  const name = place.short_function || (place.module ? "(no symbol)" : "");
  if (name === "") return "";
  const where = place.file ? `${lastComponent(place.file)}:${place.line}` : place.module;
  return `${name} (${where})`;
}

export function stackList(title: string, stack: string[]): HTMLElement {
  const list = element("ol", { class: "stack", tabindex: 0, "aria-label": title });
  for (const frame of stack) append(list, element("li", { title: frame }, shortPlace(frame)));
  return element("div", {}, element("h4", {}, title), list);
}
