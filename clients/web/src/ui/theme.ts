/** Light or dark: as the system asks, unless the page was told otherwise. */

import { type Mode, type Palette, palettes } from "./palette";

type Choice = Mode | "system";
const STORED_AS = "perpetuo.theme";

export class Theme {
  palette: Palette = palettes.light;
  private readonly system = matchMedia("(prefers-color-scheme: dark)");
  private readonly listeners = new Set<() => void>();
  private choice: Choice = "system";

  constructor() {
    const stored = load();
    if (stored) this.choice = stored;
    this.system.addEventListener("change", () => this.apply());
    this.apply();
  }

  get mode(): Mode {
    if (this.choice !== "system") return this.choice;
    return this.system.matches ? "dark" : "light";
  }

  /** To the other one; back at what the system asks, that is followed again. */
  toggle(): void {
    const other: Mode = this.mode === "dark" ? "light" : "dark";
    this.choice = other === (this.system.matches ? "dark" : "light") ? "system" : other;
    save(this.choice);
    this.apply();
  }

  watch(listener: () => void): void {
    this.listeners.add(listener);
  }

  private apply(): void {
    this.palette = palettes[this.mode];
    const root = document.documentElement;
    root.dataset.theme = this.mode;
    this.palette.parts.forEach((colour, i) => {
      root.style.setProperty(`--part-${i + 1}`, colour);
    });
    for (const listener of this.listeners) listener();
  }
}

// A browser may forbid pages to keep anything; then the choice lasts as long as the page.
function load(): Choice | null {
  try {
    const stored = localStorage.getItem(STORED_AS);
    return stored === "light" || stored === "dark" ? stored : null;
  } catch {
    return null;
  }
}

function save(choice: Choice): void {
  try {
    if (choice === "system") localStorage.removeItem(STORED_AS);
    else localStorage.setItem(STORED_AS, choice);
  } catch {
    // see above
  }
}

const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/** Whether the system asks for little motion. */
export function wantsStillness(): boolean {
  return stillness.matches;
}
