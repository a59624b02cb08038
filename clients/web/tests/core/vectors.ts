/** Wire cases that every implementation passes: tests/vectors of the repository. */

import clientMessages from "../../../../tests/vectors/client_messages.json";
import clock from "../../../../tests/vectors/clock.json";
import postponements from "../../../../tests/vectors/postponements.json";
import serverMessages from "../../../../tests/vectors/server_messages.json";

export interface ClockCase {
  readonly name: string;
  /** Sent, the server's time, received. */
  readonly samples: readonly (readonly [number, number, number])[];
  readonly best: number;
  readonly offset: number;
}

export interface MessageCase {
  readonly name: string;
  readonly text: string;
  readonly meaning?: Readonly<Record<string, unknown>>;
  readonly ends?: number;
  /** Part, pitch, velocity, on, off; null: not in this bar. */
  /** Part, and from when to when its pedal is down. */
  readonly pressed?: readonly (readonly [number, number, number])[];
  readonly sounds?: readonly (readonly [number, number, number, number | null, number | null])[];
}

/** Messages about changes of "study", and what a client tells of them after the last one. */
export interface PostponementCase {
  readonly name: string;
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  /** The answer to the request that the `ack` among the messages acknowledges. */
  readonly answer?: Readonly<Record<string, unknown>>;
  readonly told: readonly { change: number; bar: number; due: number }[];
}

export const POSTPONEMENTS = postponements.cases as unknown as readonly PostponementCase[];
export const CLOCK = clock.cases as unknown as readonly ClockCase[];
export const CLIENT = clientMessages.cases as unknown as readonly MessageCase[];
export const SERVER = serverMessages.cases as unknown as readonly MessageCase[];
