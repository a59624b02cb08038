/**
 * Sends changes of controls: at once if nothing is under way, else what stands when the answer is
 * there, so that a slider that is dragged never floods the server and its last place always counts.
 */

import type { ChangeAnnounced, Controls, ControlValue } from "../../core/api";

const PAUSE = 120; // milliseconds between an answer and what is sent next

export interface ChangeListener {
  announced(names: readonly string[], announced: ChangeAnnounced): void;
  refused(names: readonly string[], why: string): void;
  /** Nothing of these is under way any more. */
  settled(names: readonly string[]): void;
}

export class ChangeSender {
  private waiting = new Map<string, ControlValue>();
  private sent: readonly string[] = [];
  private isBusy = false;

  constructor(
    private readonly send: (controls: Controls) => Promise<ChangeAnnounced>,
    private readonly listener: ChangeListener,
  ) {}

  change(name: string, value: ControlValue): void {
    this.waiting.set(name, value);
    if (!this.isBusy) void this.flush();
  }

  /** Whether this control's last change is not answered yet. */
  isPending(name: string): boolean {
    return this.waiting.has(name) || this.sent.includes(name);
  }

  private async flush(): Promise<void> {
    this.isBusy = true;
    while (this.waiting.size) {
      const controls = Object.fromEntries(this.waiting);
      this.waiting = new Map();
      this.sent = Object.keys(controls);
      await this.ask(controls);
      await new Promise((done) => setTimeout(done, PAUSE));
    }
    this.isBusy = false;
  }

  private async ask(controls: Controls): Promise<void> {
    const names = this.sent;
    try {
      this.listener.announced(names, await this.send(controls));
    } catch (error) {
      this.listener.refused(names, error instanceof Error ? error.message : String(error));
    }
    this.sent = [];
    this.listener.settled(names.filter((name) => !this.waiting.has(name)));
  }
}
