/** Puts the page together and keeps it going: frames for the roll, words a few times a second. */

import type { Perpetuo } from "../core/api";
import { byId, setPressed } from "./dom";
import { LogPanel } from "./panels/log";
import { MidiPanel } from "./panels/midi";
import { Mixer } from "./panels/mixer";
import { SteerPanel } from "./panels/steer";
import { StreamsDialog } from "./panels/streams_dialog";
import { PlayControls } from "./play_controls";
import { RollPanel } from "./roll/roll_panel";
import { Share } from "./share";
import { Shortcuts } from "./shortcuts";
import { ConnectionStatus } from "./status";
import { Theme } from "./theme";

const WORDS = 100; // milliseconds between two looks at what to say

export function mount(perpetuo: Perpetuo): void {
  const theme = new Theme();
  const rollPanel = new RollPanel(perpetuo, theme);
  const streams = new StreamsDialog(perpetuo);
  const steer = new SteerPanel(perpetuo, streams.open);
  const mixer = new Mixer(perpetuo, (dimmed) => {
    rollPanel.dimmed = dimmed;
  });
  const playControls = new PlayControls(perpetuo);
  const status = new ConnectionStatus(perpetuo);
  new MidiPanel(perpetuo);
  new LogPanel(perpetuo);
  new Share(perpetuo);
  handleTabs();
  byId("theme").addEventListener("click", () => theme.toggle());
  byId("whole").addEventListener("click", toggleWhole);
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && document.body.hasAttribute("data-whole")) toggleWhole();
  });
  handleKeys(playControls, rollPanel, theme, streams);

  const frame = (at: number) => {
    rollPanel.draw(at);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  setInterval(() => {
    rollPanel.update();
    steer.update();
    mixer.update();
    status.update();
  }, WORDS);
}

function handleKeys(
  playControls: PlayControls,
  rollPanel: RollPanel,
  theme: Theme,
  streams: StreamsDialog,
): void {
  const { zoom } = rollPanel.roll;
  const shortcuts: Shortcuts = new Shortcuts([
    { keys: [" ", "k"], shown: "Space", words: "Play or stop", act: playControls.toggle },
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
    { keys: ["?"], shown: "?", words: "This list", act: () => shortcuts.open() },
  ]);
}

/** On a narrow page one panel is shown at a time. */
function handleTabs(): void {
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
