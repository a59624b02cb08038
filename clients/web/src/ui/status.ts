/** How the connection and the server stand, in words; what is over goes away by itself. */

import type { ConnectionState, LogEntry, Perpetuo } from "../core/api";
import { byId, h } from "./dom";
import { connectionWords } from "./words";

const LASTS = 4000; // milliseconds that news stay

export class ConnectionStatus {
  private readonly line = byId("connection");
  private since = 0;
  private words = "";
  private lost: ConnectionState | null = null;
  private late = { words: "", since: 0, number: 0 };
  private readonly again = h("button", { type: "button" }, "Try again");

  constructor(private readonly perpetuo: Perpetuo) {
    const { session } = perpetuo;
    this.again.addEventListener("click", () => session.reconnect());
    session.connection.watch((connection) => {
      this.since = performance.now();
      if (connection.state === "lost") this.lost = { ...connection, retryAt: 0 };
      else if (connection.state !== "connecting") this.lost = null;
      this.update();
    });
    perpetuo.log.watch((entries) => this.noteLateBars(entries));
    this.update();
  }

  /** That a bar was not ready in time. */
  private noteLateBars(entries: readonly LogEntry[]): void {
    const last = entries.findLast(({ kind }) => kind === "late");
    if (!last || last.number <= this.late.number) return;
    this.late = { words: last.text, since: performance.now(), number: last.number };
  }

  /** A few times a second: seconds are counted down. */
  update(): void {
    const { value } = this.perpetuo.session.connection;
    // An attempt to come back is still a loss.
    const connection = value.state === "connecting" && this.lost ? this.lost : value;
    const now = performance.now();
    const isOld = connection.state === "open" && now - this.since > LASTS;
    const late = now - this.late.since < LASTS ? this.late.words : "";
    const words = isOld ? late : connectionWords(connection, now);
    if (words === this.words) return;
    this.words = words;
    this.line.dataset.state = connection.state;
    const mayTry = connection.state === "lost" || connection.state === "refused";
    // The button stays what it is while seconds are counted: it may have the focus.
    const text = document.createTextNode(words);
    if (this.line.firstChild instanceof Text) this.line.firstChild.replaceWith(text);
    else this.line.prepend(text);
    if (mayTry && !this.again.isConnected) this.line.append(" ", this.again);
    if (!mayTry) this.again.remove();
  }
}
