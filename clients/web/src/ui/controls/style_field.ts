/**
 * The mix of styles: a field to drag in, where each style is a point, and the same as plain sliders
 * for keys, ears and exact shares.
 */

import type { ControlValue } from "../../core/api";
import { h, svg } from "../dom";
import { titled } from "../words";
import { type Field, type FieldOptions, setAllEnabled, watchDragging } from "./field";
import { arranged, isSameMix, type Mix, mixAt, type Point, pointOf, shares } from "./style_mix";

const WIDE = 320;
const HIGH = 208;

export function styleField(options: FieldOptions): Field {
  const { labelId, helpId, styles, change } = options;
  const points = arranged(styles);
  const field = new DragField(points);
  const sliders = new Sliders(styles, options.id, helpId);
  let at: Point | null = null;
  let enabled = true;
  const put = (mix: Mix | null) => {
    if (!mix) at = null;
    else if (!at || !isSameMix(mixAt(at, points), mix)) at = pointOf(mix, points);
    field.put(mix ? shares(mix) : null, at);
    sliders.put(mix ? shares(mix) : {});
  };
  field.dragged = (point) => {
    if (!enabled) return;
    at = point;
    const mix = mixAt(point, points);
    put(mix);
    change(mix);
  };
  sliders.moved = (mix) => {
    put(mix);
    change(Object.keys(mix).length ? mix : null);
  };
  field.drawing.addEventListener("dblclick", () => enabled && change(options.row.default));
  const element = h(
    "div",
    { class: "style-field", role: "group", "aria-labelledby": labelId, "aria-describedby": helpId },
    field.element,
    sliders.element,
  );
  return {
    element,
    show: (value: ControlValue) => put(value && typeof value === "object" ? (value as Mix) : null),
    isBeingEdited: () => field.isBeingEdited() || sliders.isBeingEdited(),
    setEnabled(now: boolean) {
      enabled = now;
      field.element.toggleAttribute("data-disabled", !now);
      setAllEnabled(element, now);
    },
  };
}

class DragField {
  dragged: (point: Point) => void = () => {};
  readonly element: HTMLElement;
  readonly drawing: SVGElement;
  readonly isBeingEdited: () => boolean;
  private readonly rays = new Map<string, SVGElement>();
  private readonly dots = new Map<string, SVGElement>();
  private readonly names = new Map<string, SVGElement>();
  private readonly puck = svg("circle", { class: "puck", r: 9 });

  constructor(private readonly points: ReadonlyMap<string, Point>) {
    // Seen and dragged only: what it does is said and done by the sliders below it.
    this.drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, "aria-hidden": "true" });
    for (const [style, { x, y }] of points) {
      const at = { x: x * WIDE, y: y * HIGH };
      const ray = svg("line", { class: "ray", x1: at.x, y1: at.y, x2: at.x, y2: at.y });
      const dot = svg("circle", { class: "dot", cx: at.x, cy: at.y, r: 3 });
      const anchor = x < 0.14 ? "start" : x > 0.86 ? "end" : "middle";
      const name = svg("text", {
        x: at.x + (anchor === "middle" ? 0 : anchor === "start" ? -8 : 8),
        y: at.y - 9,
        "text-anchor": anchor,
      });
      name.textContent = titled(style);
      this.rays.set(style, ray);
      this.dots.set(style, dot);
      this.names.set(style, name);
    }
    this.drawing.append(...this.rays.values(), ...this.dots.values(), ...this.names.values());
    this.drawing.append(this.puck);
    this.element = h("div", { class: "drag-field" }, this.drawing);
    this.isBeingEdited = watchDragging(this.element);
    this.element.addEventListener("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      this.dragged(this.pointAt(event));
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.isBeingEdited() && event.buttons) this.dragged(this.pointAt(event));
    });
  }

  private pointAt(event: PointerEvent): Point {
    const box = this.drawing.getBoundingClientRect();
    const inside = (value: number) => Math.min(1, Math.max(0, value));
    return {
      x: inside((event.clientX - box.left) / box.width),
      y: inside((event.clientY - box.top) / box.height),
    };
  }

  put(mix: Mix | null, at: Point | null): void {
    this.element.toggleAttribute("data-open", mix === null);
    this.puck.style.display = at ? "" : "none";
    if (at) {
      this.puck.setAttribute("cx", String(at.x * WIDE));
      this.puck.setAttribute("cy", String(at.y * HIGH));
    }
    for (const style of this.points.keys()) {
      const share = mix?.[style] ?? 0;
      this.dots.get(style)?.setAttribute("r", String(3 + 7 * Math.sqrt(share)));
      this.dots.get(style)?.classList.toggle("on", share > 0);
      this.names.get(style)?.classList.toggle("on", share > 0);
      const ray = this.rays.get(style);
      ray?.setAttribute("x2", String((at?.x ?? 0.5) * WIDE));
      ray?.setAttribute("y2", String((at?.y ?? 0.5) * HIGH));
      ray?.style.setProperty("opacity", at ? String(Math.min(1, share * 1.4)) : "0");
    }
  }
}

class Sliders {
  moved: (mix: Mix) => void = () => {};
  readonly element: HTMLDetailsElement;
  private readonly sliders: ReadonlyMap<string, HTMLInputElement>;
  private readonly drags: readonly (() => boolean)[];

  constructor(styles: readonly string[], id: string, helpId: string) {
    this.sliders = new Map(
      styles.map((style, i) => [
        style,
        h("input", {
          type: "range",
          id: i ? `${id}-${style}` : id,
          min: 0,
          max: 100,
          step: 5,
          "aria-label": titled(style),
          "aria-describedby": helpId,
          oninput: () => this.moved(this.mix()),
        }),
      ]),
    );
    this.drags = [...this.sliders.values()].map(watchDragging);
    this.element = h(
      "details",
      {},
      h("summary", {}, "By numbers"),
      ...[...this.sliders].map(([style, slider]) =>
        h(
          "label",
          { class: "share" },
          h("span", {}, titled(style)),
          slider,
          h("output", {}, "0 %"),
        ),
      ),
    );
  }

  private mix(): Mix {
    const chosen = [...this.sliders].map(([style, slider]) => [style, Number(slider.value) / 100]);
    return Object.fromEntries(chosen.filter(([, weight]) => Number(weight) > 0));
  }

  put(mix: Mix): void {
    for (const [style, slider] of this.sliders) {
      const percent = Math.round(100 * (mix[style] ?? 0));
      if (document.activeElement !== slider) slider.value = String(percent);
      slider.style.setProperty("--filled", `${slider.value}%`);
      slider.setAttribute("aria-valuetext", `${percent} percent`);
      (slider.nextElementSibling as HTMLElement).textContent = `${percent} %`;
    }
  }

  isBeingEdited(): boolean {
    return this.drags.some((isDragged) => isDragged());
  }
}
