/**
 * Gestures on the roll. Wheel: time; with Shift: pitch; sideways: to and fro. Two fingers: time across,
 * pitch up and down. Dragging looks back and ahead. Twice clicked: back to now, fitted.
 */

import type { Roll } from "./roll";
import { SECOND } from "./view";

const WHEEL = 0.0016; // zoom by pixel of the wheel, as an exponent
const LINE = 18; // pixels of a wheel that counts lines

export function handleGestures(roll: Roll): void {
  const { canvas, zoom } = roll;
  const fingers = new Map<number, PointerEvent>();

  canvas.addEventListener("wheel", (event) => turnWheel(roll, event), { passive: false });
  canvas.addEventListener("dblclick", () => zoom.reset());
  canvas.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
  });
  const lift = (event: PointerEvent) => fingers.delete(event.pointerId);
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
    if (other) pinch(roll, before, event, other);
    else drag(roll, event.clientX - before.clientX);
    fingers.set(event.pointerId, event);
  });
}

function turnWheel(roll: Roll, event: WheelEvent): void {
  event.preventDefault();
  const { zoom } = roll;
  const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE;
  const sideways = event.deltaX * unit;
  // Browsers turn a wheel with Shift held into one that goes sideways.
  const down = event.shiftKey ? (event.deltaY || event.deltaX) * unit : event.deltaY * unit;
  if (event.shiftKey) {
    const around = roll.scale?.pitch(event.offsetY);
    zoom.pitch(Math.exp(-down * WHEEL), around);
  } else if (Math.abs(sideways) > Math.abs(down)) {
    drag(roll, -sideways);
  } else {
    // A pinch on a touch pad comes as a wheel with Ctrl, in small steps.
    zoom.time(Math.exp(-down * WHEEL * (event.ctrlKey ? 5 : 1)));
  }
}

function drag(roll: Roll, by: number): void {
  if (roll.zoom.perSecond > 0) roll.zoom.look((-by / roll.zoom.perSecond) * SECOND);
}

function pinch(roll: Roll, before: PointerEvent, now: PointerEvent, other: PointerEvent): void {
  const was = { x: before.clientX - other.clientX, y: before.clientY - other.clientY };
  const is = { x: now.clientX - other.clientX, y: now.clientY - other.clientY };
  if (Math.abs(was.x) > Math.abs(was.y)) {
    if (was.x && is.x) roll.zoom.time(Math.abs(is.x / was.x));
  } else if (was.y && is.y) {
    roll.zoom.pitch(Math.abs(is.y / was.y));
  }
}
