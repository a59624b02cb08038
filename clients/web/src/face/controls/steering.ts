/**
 * Sends what hands turn: at once if nothing is under way, else what stands when the answer is
 * there, so that a slider that is dragged never floods the server and its last place always counts.
 */

import type { Controls, ControlValue, Heard } from "../../core/contract";

const BREATH = 120; // milliseconds between an answer and what is sent next

export interface Told {
  heard(names: readonly string[], heard: Heard): void;
  refused(names: readonly string[], why: string): void;
  /** Nothing of these is under way any more. */
  settled(names: readonly string[]): void;
}

export class Steering {
  private turned = new Map<string, ControlValue>();
  private sent: readonly string[] = [];
  private isBusy = false;

  constructor(
    private readonly send: (controls: Controls) => Promise<Heard>,
    private readonly told: Told,
  ) {}

  turn(name: string, value: ControlValue): void {
    this.turned.set(name, value);
    if (!this.isBusy) void this.flush();
  }

  /** Whether this control's last change is not answered yet. */
  isUnderWay(name: string): boolean {
    return this.turned.has(name) || this.sent.includes(name);
  }

  private async flush(): Promise<void> {
    this.isBusy = true;
    while (this.turned.size) {
      const controls = Object.fromEntries(this.turned);
      this.turned = new Map();
      this.sent = Object.keys(controls);
      await this.ask(controls);
      await new Promise((done) => setTimeout(done, BREATH));
    }
    this.isBusy = false;
  }

  private async ask(controls: Controls): Promise<void> {
    const names = this.sent;
    try {
      this.told.heard(names, await this.send(controls));
    } catch (error) {
      this.told.refused(names, error instanceof Error ? error.message : String(error));
    }
    this.sent = [];
    this.told.settled(names.filter((name) => !this.turned.has(name)));
  }
}
