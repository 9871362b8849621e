// The regions of a process's memory, and the map's figures for each.
import { causeLabel } from "./causes";
import { element } from "./dom";
import { addressText, grouped, lastComponent, percent } from "./format";
import { MapRegion } from "./map_model";
import { sortableTable } from "./table";

export interface RegionRow {
  region: MapRegion;
  pages: number;
  copied: number;
  main: string; // cause
}

export function regionName(region: MapRegion | undefined): string {
  return region === undefined ? "" : region.name.startsWith("/") ? lastComponent(region.name) : region.name;
}

export function regionTable(rows: RegionRow[], pid: number, pageSize: number): HTMLElement {
  return sortableTable<RegionRow>({
    caption: `Regions of process ${pid}`,
    rows,
    sortedBy: 3,
    shown: 12,
    columns: [
      { title: "Region", value: (row) => row.region.name, className: "name" },
      { title: "Address", value: (row) => row.region.start, cell: (row) => element("code", {}, addressText(row.region.start, pageSize)) },
      { title: "Inherited pages", value: (row) => row.pages, cell: (row) => grouped(row.pages), numeric: true },
      { title: "Copied pages", value: (row) => row.copied, cell: (row) => grouped(row.copied), numeric: true },
      { title: "Share", value: (row) => row.copied / row.pages, cell: (row) => percent(row.copied / row.pages), numeric: true },
      { title: "Main cause", value: (row) => row.main, cell: (row) => (row.main === "" ? "–" : causeLabel(row.main)) },
    ],
  }).element;
}
