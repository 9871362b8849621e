// Light or dark: as the system is set, until the button says otherwise. Paper is light.

const listeners: (() => void)[] = [];
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const onPaper = matchMedia("print");
const key = "cowscope-theme";
let chosen: string | null = null;
let isPrinting = false;

// Some browsers give pages from files no storage.
try {
  chosen = localStorage.getItem(key);
} catch {}

function isDark(): boolean {
  if (onPaper.matches || isPrinting) return false;
  return chosen ? chosen === "dark" : systemDark.matches;
}

function apply(): void {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  for (const listener of listeners) listener();
}

// Calls `listener` when colours change: what is drawn on a canvas must be drawn anew.
export function onThemeChange(listener: () => void): void {
  listeners.push(listener);
}

// A colour of the style sheet, such as "--text".
export function styleColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function themeButton(): HTMLElement {
  const button = document.createElement("button");
  button.type = "button";
  button.id = "theme";
  const name = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => {
    chosen = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(key, chosen);
    } catch {}
    apply();
  });
  onThemeChange(name);
  name();
  return button;
}

// What is on a canvas has to be drawn before the paper is.
for (const [event, printing] of [["beforeprint", true], ["afterprint", false]] as const) {
  addEventListener(event, () => {
    isPrinting = printing;
    apply();
  });
}
systemDark.addEventListener("change", apply);
onPaper.addEventListener("change", apply);
apply();
