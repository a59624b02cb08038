/** The SoundFont, from the server. */

/** Its bytes; `progress` is told how many of them are here, and of how many if that is known. */
export async function fetchSoundfont(
  address: string,
  progress: (loaded: number, total: number | null) => void,
  signal: AbortSignal,
): Promise<ArrayBuffer> {
  const answer = await fetch(address, { signal }).catch(() => null);
  if (!answer) throw new Error("The SoundFont cannot be fetched: the server does not answer");
  if (!answer.ok || !answer.body) {
    throw new Error(`The SoundFont cannot be fetched: the server answers ${answer.status}`);
  }
  const length = Number(answer.headers.get("content-length"));
  const total = length > 0 && !answer.headers.get("content-encoding") ? length : null;
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  progress(loaded, total);
  const reader = answer.body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    chunks.push(read.value);
    loaded += read.value.length;
    progress(loaded, total);
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes.buffer;
}
