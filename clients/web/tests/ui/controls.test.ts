// @vitest-environment jsdom

import { beforeEach, describe, expect, it } from "vitest";
import index from "../../index.html?raw";
import type { ControlRow, ControlValue } from "../../src/core/api";
import { Control } from "../../src/ui/controls/control";
import { announcement } from "../../src/ui/panels/steer";

const STYLES = ["baroque", "folk", "romantic"];

function row(name: string, kind: string, change: Partial<ControlRow> = {}): ControlRow {
  return {
    name,
    kind,
    role: "conditioning",
    group: "texture",
    default: null,
    open: true,
    low: null,
    high: null,
    unit: "",
    choices: [],
    per: null,
    accepts: "anything",
    help: "What it does.",
    ...change,
  };
}

const density = row("density", "number", { low: 0.1, high: 16, unit: "notes a quarter" });

function made(of: ControlRow) {
  const changed: ControlValue[] = [];
  const control = new Control(of, (value) => changed.push(value), { styles: STYLES, parts: 8 });
  document.body.replaceChildren(control.element);
  const one = <Kind extends Element = HTMLInputElement>(selector: string): Kind => {
    const found = control.element.querySelector<Kind>(selector);
    if (!found) throw new Error(`no ${selector}`);
    return found;
  };
  return { control, changed, one };
}

describe("a control that the model does not follow", () => {
  it("is greyed out with the reason, and comes back with a model that follows it", () => {
    const { control, one } = made(density);
    control.setEnabled(true, "this model does not follow density");
    expect(one(".unfollowed").textContent).toBe("this model does not follow density");
    expect(control.element.hasAttribute("data-unfollowed")).toBe(true);
    expect(one<HTMLInputElement>("input").disabled).toBe(true);
    control.setEnabled(true);
    expect(one<HTMLElement>(".unfollowed").hidden).toBe(true);
    expect(control.element.hasAttribute("data-unfollowed")).toBe(false);
    expect(one<HTMLInputElement>("input").disabled).toBe(false);
  });
});

function set(input: HTMLInputElement | HTMLSelectElement, value: string, event = "input"): void {
  input.value = value;
  input.dispatchEvent(new Event(event));
}

describe("every control", () => {
  const rows = [
    density,
    row("max_polyphony", "integer", { low: 1, high: 32, default: 16, open: false }),
    row("form", "choice", { choices: ["off", "song"], default: "song", open: false }),
    row("bars_per_chord", "number", { choices: [0.5, 1], default: 1, open: false }),
    row("metre", "metre"),
    row("style", "mix"),
    row("key", "key", { default: "C major", open: false }),
    row("scale", "scale"),
    row("chords", "chords"),
    row("parts", "parts"),
    row("programs", "programs"),
    row("places", "by_part", { low: -1, high: 1 }),
    row("temperature", "per_field", { low: 0.1, high: 2, default: 1, open: false }),
    row("mystery", "of a kind that is not yet known"),
  ];

  it.each(rows.map((row) => [row.kind, row] as const))(
    "of kind %s is labelled, helped and named",
    (_, row) => {
      const { control, one } = made(row);
      const label = one<HTMLLabelElement>("label");
      const operated = one(`#${label.htmlFor}`);
      expect(operated).toBeTruthy();
      const help = control.element.querySelector(".help");
      expect(help?.textContent).toContain(row.help);
      expect(help?.id).toBe(`control-${row.name}-help`);
      const described = control.element.querySelectorAll(`[aria-describedby="${help?.id}"]`);
      expect(described.length).toBeGreaterThan(0);
    },
  );

  it.each(rows.map((row) => [row.kind, row] as const))(
    "of kind %s goes back to its default",
    (_, row) => {
      const { changed, one } = made(row);
      one<HTMLButtonElement>(".control-head button").click();
      one("label").dispatchEvent(new MouseEvent("dblclick"));
      expect(changed).toEqual([row.default, row.default]);
    },
  );

  it.each(rows.map((row) => [row.kind, row] as const))(
    "of kind %s tells of nothing that was only shown",
    (_, row) => {
      const { control, changed } = made(row);
      control.show(row.default);
      control.setEnabled(false);
      expect(changed).toEqual([]);
      const operable = control.element.querySelectorAll(
        ":is(input, select, button):not(:disabled)",
      );
      expect(operable.length).toBe(0);
    },
  );
});

describe("numbers", () => {
  let it_: ReturnType<typeof made>;
  beforeEach(() => {
    it_ = made(density);
  });

  it("are changed by slider or box, and left open by an empty box", () => {
    set(it_.one("[type=range]"), "6");
    set(it_.one(".exact"), "2,5", "change");
    set(it_.one(".exact"), "", "change");
    set(it_.one(".exact"), "lots", "change");
    expect(it_.changed).toEqual([6, 2.5, null, "lots"]);
  });

  it("go back to their default by a double click and by Delete", () => {
    const slider = it_.one("[type=range]");
    slider.dispatchEvent(new MouseEvent("dblclick"));
    slider.dispatchEvent(new KeyboardEvent("keydown", { key: "Delete" }));
    expect(it_.changed).toEqual([null, null]);
  });

  it("are spoken with their unit", () => {
    it_.control.show(6);
    expect(it_.one("[type=range]").getAttribute("aria-valuetext")).toBe("6 notes a quarter");
    it_.control.show(null);
    expect(it_.one("[type=range]").getAttribute("aria-valuetext")).toBe("auto");
    expect(it_.one(".exact").value).toBe("auto");
  });

  it("are not moved while they are dragged", () => {
    it_.control.show(6);
    const slider = it_.one("[type=range]");
    slider.dispatchEvent(new Event("pointerdown"));
    it_.control.show(2);
    expect(slider.value).toBe("6");
    slider.dispatchEvent(new Event("pointerup"));
    it_.control.show(2);
    expect(slider.value).toBe("2");
  });
});

describe("a change", () => {
  const heard = (bar: number, due: number) => ({ bar, due, change: 7, saved: null });

  it("says from which bar it is heard, then that it is, then nothing", () => {
    const { control, one } = made(density);
    const note = one(".heard");
    control.showAnnounced(heard(42, 1_000_000));
    control.update(999_999);
    expect(note.textContent).toBe("from bar 42");
    control.update(1_000_000);
    expect(note.textContent).toBe("heard now");
    control.update(60_000_000);
    expect(note.textContent).toBe("");
  });

  it("that is postponed says the later bar, and is not heard before it", () => {
    const { control, one } = made(density);
    const note = one(".heard");
    control.showAnnounced(heard(42, 1_000_000));
    control.showPostponed({ change: 8, bar: 50, due: 9_000_000 });
    expect(note.textContent).toBe("from bar 42");
    control.showPostponed({ change: 7, bar: 43, due: 3_000_000 });
    control.update(1_000_000);
    expect(note.textContent).toBe("from bar 43");
    control.update(3_000_000);
    expect(note.textContent).toBe("heard now");
  });

  it("is announced with its bar, and quietly when it is not on disk", () => {
    expect(announcement("Density", heard(42, 0))).toBe("Density: heard from bar 42.");
    expect(announcement("Density", { ...heard(42, 0), saved: false })).toBe(
      "Density: heard from bar 42. Not on the server’s disk yet.",
    );
  });

  it("that is refused says why, until the next one", () => {
    const { control, one } = made(density);
    control.showRefused("density must be 0.1 to 16.");
    const fault = one<HTMLElement>(".fault");
    expect(fault.hidden).toBe(false);
    expect(fault.textContent).toBe("density must be 0.1 to 16.");
    set(one("[type=range]"), "3");
    expect(fault.hidden).toBe(true);
  });
});

describe("other kinds", () => {
  it("choose one of few", () => {
    const { control, changed, one } = made(row("form", "choice", { choices: ["off", "song"] }));
    control.show("song");
    expect(one("[value=song]").checked).toBe(true);
    one("[value=off]").click();
    expect(changed).toEqual(["off"]);
  });

  it("put a key together", () => {
    const { control, changed, one } = made(row("key", "key", { default: "C major", open: false }));
    control.show("D dorian");
    expect(one("[value=D]").checked).toBe(true);
    one("[value=Eb]").click();
    set(one<HTMLSelectElement>("select"), "minor", "change");
    expect(changed).toEqual(["Eb dorian", "Eb minor"]);
  });

  it("put a progression together from the chords of the key", () => {
    const { control, changed, one } = made(row("chords", "chords"));
    (control.field as unknown as { setKey(key: string): void }).setKey("A minor");
    const chord = (name: string) =>
      [...control.element.querySelectorAll<HTMLButtonElement>(".palette button")].find(
        (button) => button.textContent === name,
      );
    chord("i")?.click();
    chord("ii°")?.click();
    one<HTMLButtonElement>(".palette button:last-child").click();
    expect(changed).toEqual(["i", "i iio", "i"]);
  });

  it("mix styles by plain sliders", () => {
    const { control, changed, one } = made(row("style", "mix"));
    control.show({ baroque: 1, folk: 1 });
    expect(one("[aria-label=Folk]").getAttribute("aria-valuetext")).toBe("50 percent");
    set(one("[aria-label=Baroque]"), "0");
    set(one("[aria-label=Folk]"), "0");
    expect(changed).toEqual([{ folk: 0.5 }, null]);
  });

  it("choose parts, and none of them", () => {
    const { control, changed, one } = made(row("parts", "parts"));
    control.show([1, 2]);
    one("[aria-label='Part 2']").click();
    one("[aria-label='Part 1']").click();
    one("[aria-label=Percussion]").click();
    expect(changed).toEqual([[1], null, [8]]);
  });

  it("choose instruments by part", () => {
    const { control, changed, one } = made(row("programs", "programs"));
    control.show({ 1: 40 });
    set(one<HTMLSelectElement>("[aria-label='Part 2']"), "42", "change");
    set(one<HTMLSelectElement>("[aria-label='Part 1']"), "", "change");
    expect(changed).toEqual([{ 1: 40, 2: 42 }, { 2: 42 }]);
  });

  it("set numbers by part, and one number is that of all", () => {
    const { control, changed, one } = made(row("places", "by_part", { low: -1, high: 1 }));
    control.show({ 1: -0.5 });
    set(one("[aria-label='Part 2']"), "0.25", "change");
    set(one("[aria-label='Part 1']"), "", "change");
    set(one("[aria-label='Part 2']"), "", "change");
    expect(changed).toEqual([{ 1: -0.5, 2: 0.25 }, { 2: 0.25 }, null]);
    control.show(0.5);
    expect(one<HTMLInputElement>("[aria-label='Part 8']").value).toBe("0.5");
  });

  it("set single fields of an event apart from the others", () => {
    const accepts = "a number (fields: part, pitch)";
    const { control, changed, one } = made(
      row("temperature", "per_field", { low: 0.1, high: 2, default: 1, open: false, accepts }),
    );
    control.show(0.9);
    set(one("#control-temperature-pitch"), "1.2");
    set(one("#control-temperature"), "0.8");
    expect(changed).toEqual([
      { all: 0.9, pitch: 1.2 },
      { all: 0.8, pitch: 1.2 },
    ]);
  });

  it("write what cannot be chosen", () => {
    const { changed, one } = made(row("metre", "metre"));
    set(one("[type=text]"), "7/8", "change");
    set(one("[type=text]"), "", "change");
    expect(changed).toEqual(["7/8", null]);
  });
});

describe("index.html", () => {
  it("has every element that the page looks for", () => {
    const sources = import.meta.glob<string>("../../src/ui/**/*.ts", {
      query: "?raw",
      import: "default",
      eager: true,
    });
    const wanted = Object.values(sources).flatMap((text) =>
      [...text.matchAll(/byId(?:<\w+>)?\("([\w-]+)"\)/g)].map(([, id]) => id),
    );
    expect(wanted.length).toBeGreaterThan(20);
    for (const id of wanted) expect(index).toContain(`id="${id}"`);
  });
});
