/** The play button, the volume, and what the sound does in words. */

import type { Perpetuo, SoundState } from "../core/api";
import { byId, setPressed, setText } from "./dom";
import { put, slide } from "./panels/mixer";
import { soundWords, unstopped } from "./words";

export class PlayControls {
  private readonly button = byId<HTMLButtonElement>("play");

  constructor(private readonly perpetuo: Perpetuo) {
    const { sound } = perpetuo;
    const volume = byId<HTMLInputElement>("volume");
    slide(volume, sound.volume.value, (value) => sound.setVolume(value));
    sound.volume.watch((value) => put(volume, value));
    this.button.addEventListener("click", this.toggle);
    sound.state.watch((state) => this.show(state));
    this.show(sound.state.value);
  }

  readonly toggle = (): void => {
    const { sound } = this.perpetuo;
    const { kind } = sound.state.value;
    if (kind === "playing" || kind === "loading") sound.stop();
    else void sound.start();
  };

  private show(state: SoundState): void {
    const isOn = state.kind === "playing" || state.kind === "loading";
    const { sound } = this.perpetuo;
    document.body.dataset.sound = state.kind;
    setPressed(this.button, isOn);
    this.button.setAttribute("aria-label", isOn ? "Stop" : "Play");
    setText(byId("play-word"), isOn ? "Stop" : "Play");
    const words = soundWords(state);
    // Who cannot hear the page's own sound knows it before the click.
    const warning = sound.ability.why && `${unstopped(sound.ability.why)}.`;
    setText(byId("sound"), words || (state.kind === "off" ? warning : ""));
  }
}
