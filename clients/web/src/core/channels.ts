import { PERCUSSION } from "./messages";

/** MIDI channel, from 0, of a part, from 1: each its own, percussion the tenth. */
export const channelOf = (part: number): number => (part === PERCUSSION ? 9 : part - 1);

/** Part of a MIDI channel, both as above; channels that no part has belong to the first. */
export const partOf = (channel: number): number =>
  channel === 9 ? PERCUSSION : channel < PERCUSSION - 1 ? channel + 1 : 1;
