// What happened, by whom, why, and what to do: the first screen.
import { afterBoundId, afterBoundText } from "./after_bound";
import { causeHelp, causeLabel, causeOf } from "./causes";
import { Report } from "./data";
import { append, element } from "./dom";
import { counted, durationText, grouped, percent, sizeText } from "./format";
import { placeOf } from "./place";

const unowned = "(unowned)";

function nothingCopied(report: Report): string {
  if (report.processes.some((process) => process.inherited_pages !== 0)) return "No inherited page was copied.";
  return report.tracker === "off"
    ? "Nothing is known about copies: no process was tracked."
    : "No process forked, so there was nothing to copy.";
}

export function card(title: string, main: Node | string, ...more: (Node | string)[]): HTMLElement {
  return element(
    "div",
    { class: "card" },
    element("dt", {}, title),
    element("dd", {}, element("strong", { class: typeof main === "string" && main.length > 24 ? "long" : undefined }, main), ...more.map((line) => element("span", {}, line))),
  );
}

function strong(text: string): HTMLElement {
  return element("strong", {}, text);
}

export function headline(report: Report): HTMLElement {
  const totals = report.totals;
  const size = (pages: number) => sizeText(pages * report.page_size);
  const made = element("section", { id: "headline", "aria-labelledby": "headline-title" });
  if (totals.copied_pages === 0) {
    append(made, element("h2", { id: "headline-title" }, nothingCopied(report)));
    return made;
  }

  const copying = report.processes.filter((process) => process.copied_pages !== 0);
  const most = copying.reduce((a, b) => (b.copied_pages > a.copied_pages ? b : a));
  const cause = report.causes[0];
  const owner = report.owners.find((each) => each.owner !== unowned);
  const site = report.sites.find((each) => each.cause === cause.cause) ?? report.sites[0];
  const place = placeOf(site);
  const siteShare = site.pages / totals.copied_pages;

  append(
    made,
    element("h2", { id: "headline-title" }, `${size(totals.copied_pages)} of shared memory was copied after fork()`),
  );
  const lead = element("p", { class: "lead" });
  append(
    lead,
    "After a fork, parent and child share their memory page by page, and the first write to a page copies it. ",
    counted(copying.length, "process", "processes"),
    ` made ${counted(totals.copied_pages, "copy", "copies")} of 4 KiB pages. `,
  );
  if (cause.cause === "unknown") {
    append(lead, "Of ", strong(percent(cause.share)), " of them ", strong(causeOf(cause.cause).means), " (unknown)");
  } else {
    append(lead, strong(percent(cause.share)), " of them were made because ", strong(causeOf(cause.cause).means), ` (${cause.cause})`);
  }
  if (owner && owner.share >= 0.1) {
    append(lead, "; ", strong(percent(owner.share)), " belong to ", element("code", {}, owner.owner));
  }
  append(lead, ".");
  if (place !== "" && siteShare >= 0.1) {
    append(lead, " The code that wrote ", strong(percent(siteShare)), " of them: ", element("code", {}, place), ".");
  }
  append(made, lead);
  const later = afterBoundText(report);
  if (later !== "") append(made, element("p", { class: "lead" }, element("a", { href: "#" + afterBoundId }, later)));

  const cards = element("dl", { class: "cards" });
  append(
    cards,
    card("Copied", size(totals.copied_pages), `${grouped(totals.copied_pages)} pages`, `of ${size(totals.inherited_pages)} inherited by all processes`),
    card(
      "By whom",
      `${copying.length} of ${counted(totals.processes, "process", "processes")}`,
      `most by process ${most.pid}:`,
      size(most.copied_pages),
    ),
    card("Main cause", causeLabel(cause.cause), percent(cause.share), cause.types.length > 0 ? `mostly ${cause.types[0].type} objects` : ""),
    owner ? card("Main owner", owner.owner, percent(owner.share), size(owner.pages)) : place !== "" && card("Main place", place, percent(siteShare)),
    totals.copied_at_least
      ? card("Explained", "-", "some processes had no tracker: they may have copied more")
      : card("Explained", percent(totals.explained), "of the copies: the writing instruction was seen and understood"),
  );
  append(made, cards, remedies(report, "What would help"));
  return made;
}

export function remedies(report: Report, title: string): HTMLElement {
  const box = element("div", { class: "advice" }, element("h3", {}, title));
  if (report.advice.length === 0) {
    const cause = report.causes[0];
    append(box, element("p", {}, causeLabel(cause.cause), ": ", causeHelp(cause.cause, report.sites.some((site) => site.python.length > 0))));
    return box;
  }
  const list = element("ul");
  for (const advice of report.advice) {
    append(
      list,
      element(
        "li",
        {},
        advice.owner !== "" && element("code", {}, advice.owner),
        advice.owner !== "" && ": ",
        advice.text,
        " ",
        element("span", { class: "stake" }, `At stake: ${sizeText(advice.pages * report.page_size)}, ${percent(advice.share)} of the copies.`),
      ),
    );
  }
  append(
    box,
    list,
    element("p", { class: "small" }, "A page counts for its first writer alone: where one is stopped, another may copy it all the same."),
  );
  return box;
}

// The program and how it was watched; `label` tells one run from another.
export function runLines(report: Report, label = ""): HTMLElement[] {
  return [
    element("p", { class: "command" }, label !== "" && element("span", { class: "label" }, label + " "), element("code", {}, report.command.join(" "))),
    element(
      "p",
      { class: "small" },
      `${durationText(report.duration_ns)}, ${counted(report.totals.processes, "process", "processes")}; tracker ${report.tracker}, witness ${report.witness}` +
        (report.sample === "1" ? "" : `, one event in ${report.sample}`),
    ),
  ];
}

export function pageHeader(...lines: HTMLElement[]): HTMLElement {
  return element("div", { class: "what" }, element("h1", {}, "cowscope"), ...lines);
}
