// Numbers as the text report writes them (report/format.h).

export function grouped(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

export function sizeText(bytes: number): string {
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    ++unit;
  }
  return `${value.toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

// What is not all must not read as all, nor what is something as nothing.
export function percent(share: number): string {
  if (share < 1 && share > 0.999) return "> 99.9 %";
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${(share * 100).toFixed(1)} %`;
}

export function durationText(nanoseconds: number): string {
  const seconds = nanoseconds / 1e9;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(0)} ms`;
  if (seconds < 120) return `${seconds.toFixed(2)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes} min ${Math.floor(seconds - 60 * minutes).toString().padStart(2, "0")} s`;
}

export function counted(count: number, one: string, many = one + "s"): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

export function addressText(page: number, pageSize: number): string {
  return "0x" + (page * pageSize).toString(16);
}

export function lastComponent(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

// "read_map (string_map.py:34)" for "read_map (/some/path/string_map.py:34)".
export function shortPlace(frame: string): string {
  const place = frame.lastIndexOf(" (");
  if (place < 0) return frame;
  return `${frame.slice(0, place)} (${lastComponent(frame.slice(place + 2))}`;
}
