/** The worker of `WorkerTimers`: answers after the time that was asked for. */

import type { TimerRequest } from "./timers";

self.onmessage = ({ data: { number, milliseconds } }: MessageEvent<TimerRequest>) => {
  setTimeout(() => self.postMessage(number), milliseconds);
};
