/** The server's audio stream of a station, for browsers that cannot play by themselves. */

export class ServerAudio {
  readonly #audio = new Audio();
  #address = "";

  /** The listener is told when it plays, and with a sentence when it cannot. */
  constructor(
    private readonly listener: { playing(): void; blocked(): void; failed(why: string): void },
  ) {
    this.#audio.preload = "none";
    this.#audio.onplaying = () => listener.playing();
    this.#audio.onerror = () => void this.#explain();
  }

  /** Call it in a click. */
  play(address: string): void {
    if (address === this.#address && !this.#audio.paused) return;
    this.#address = address;
    this.#audio.src = address;
    this.#audio.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "NotAllowedError")
        this.listener.blocked();
    }); // other reasons come as the event `error`
  }

  setVolume(volume: number): void {
    this.#audio.volume = volume * volume;
  }

  close(): void {
    this.#address = "";
    this.#audio.onplaying = this.#audio.onerror = null;
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    this.#audio.load(); // lets go of the connection
  }

  async #explain(): Promise<void> {
    const answer = await fetch(this.#audio.src, { method: "HEAD" }).catch(() => null);
    if (answer && !answer.ok)
      this.listener.failed(`the server's audio stream answers ${answer.status}`);
    else this.listener.failed("the server's audio stream was cut");
  }
}
