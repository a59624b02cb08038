/** The worker of `WorkerTimers`: rings when asked to. */

import type { Wake } from "./timers";

self.onmessage = ({ data: { number, milliseconds } }: MessageEvent<Wake>) => {
  setTimeout(() => self.postMessage(number), milliseconds);
};
