/** Wire cases that every implementation passes: tests/vectors of the repository. */

import clientMessages from "../../../../tests/vectors/client_messages.json";
import clock from "../../../../tests/vectors/clock.json";
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
  readonly sounds?: readonly (readonly [number, number, number, number | null, number | null])[];
}

export const CLOCK = clock.cases as unknown as readonly ClockCase[];
export const CLIENT = clientMessages.cases as unknown as readonly MessageCase[];
export const SERVER = serverMessages.cases as unknown as readonly MessageCase[];
