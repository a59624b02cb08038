/** Puts the page together and keeps it going: frames for the roll, words a few times a second. */

import type { Perpetuo } from "../core/contract";
import { byId, setPressed } from "./dom";
import { Keys } from "./keys";
import { Log } from "./panels/log";
import { MidiPanel } from "./panels/midi";
import { Mixer } from "./panels/mixer";
import { SteerPanel } from "./panels/steer";
import { Streams } from "./panels/streams";
import { Player } from "./player";
import { Share } from "./share";
import { Stage } from "./stage/stage";
import { Status } from "./status";
import { Theme } from "./theme";

const WORDS = 100; // milliseconds between two looks at what to say

export function mount(perpetuo: Perpetuo): void {
  const theme = new Theme();
  const stage = new Stage(perpetuo, theme);
  const streams = new Streams(perpetuo);
  const steer = new SteerPanel(perpetuo, streams.open);
  const mixer = new Mixer(perpetuo, (dimmed) => {
    stage.dimmed = dimmed;
  });
  const player = new Player(perpetuo);
  const status = new Status(perpetuo);
  new MidiPanel(perpetuo);
  new Log(perpetuo);
  new Share(perpetuo);
  takeTabs();
  byId("theme").addEventListener("click", () => theme.toggle());
  byId("whole").addEventListener("click", toggleWhole);
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && document.body.hasAttribute("data-whole")) toggleWhole();
  });
  takeKeys(player, stage, theme, streams);

  const frame = (at: number) => {
    stage.draw(at);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  setInterval(() => {
    stage.tell();
    steer.tell();
    mixer.tell();
    status.tell();
  }, WORDS);
}

function takeKeys(player: Player, stage: Stage, theme: Theme, streams: Streams): void {
  const { zoom } = stage.roll;
  const keys: Keys = new Keys([
    { keys: [" ", "k"], shown: "Space", words: "Play or stop", act: player.toggle },
    { keys: ["+", "="], shown: "+", words: "Less time, larger", act: () => zoom.time(1.3) },
    { keys: ["-"], shown: "−", words: "More time, smaller", act: () => zoom.time(1 / 1.3) },
    { keys: ["*", "]"], shown: "]", words: "Fewer pitches, larger", act: () => zoom.pitch(1.3) },
    {
      keys: ["_", "["],
      shown: "[",
      words: "More pitches, smaller",
      act: () => zoom.pitch(1 / 1.3),
    },
    { keys: ["0"], shown: "0", words: "Back to now, everything in view", act: () => zoom.reset() },
    { keys: ["f"], shown: "F", words: "Roll on the whole screen", act: toggleWhole },
    { keys: ["s"], shown: "S", words: "Choose what to listen to", act: streams.open },
    { keys: ["t"], shown: "T", words: "Light or dark", act: () => theme.toggle() },
    { keys: ["?"], shown: "?", words: "This list", act: () => keys.open() },
  ]);
}

/** On a narrow page one panel is shown at a time. */
function takeTabs(): void {
  const tabs = [...document.querySelectorAll<HTMLButtonElement>(".tabs button")];
  for (const tab of tabs) {
    tab.addEventListener("click", () => {
      document.body.dataset.panel = tab.dataset.panel ?? "steer";
      for (const other of tabs) {
        if (other === tab) other.setAttribute("aria-current", "true");
        else other.removeAttribute("aria-current");
      }
    });
  }
}

/** The roll alone, on the whole screen where the browser lets it. */
function toggleWhole(): void {
  const isWhole = document.body.toggleAttribute("data-whole");
  setPressed(byId("whole"), isWhole);
  const change = isWhole
    ? document.documentElement.requestFullscreen?.()
    : document.fullscreenElement && document.exitFullscreen();
  // Refused without harm: the roll fills the window then.
  if (change) change.catch(() => {});
}
