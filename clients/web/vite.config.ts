import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const PACKED = [
  "spessasynth_core",
  "stb-vorbis",
  "@fontsource-variable/instrument-sans",
  "@fontsource-variable/newsreader",
];

/** The licences of what is packed in with ours, beside the page. */
function licences(): Plugin {
  const read = (name: string) =>
    `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf-8")}`;
  return {
    name: "licences",
    apply: "build",
    generateBundle() {
      const source = PACKED.map(read).join("\n\n");
      this.emitFile({ type: "asset", fileName: "licences.txt", source });
    },
  };
}

// `npm run dev` serves the page itself and passes the rest on to a server that runs already.
const server = "http://127.0.0.1:8770";

export default defineConfig({
  plugins: [licences()],
  base: "./", // the page may stand below any path of a proxy
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0, // the content security policy lets no code in that stands in data: URLs
  },
  worker: {
    format: "es",
    rolldownOptions: {
      output: { banner: "/*! With spessasynth_core and stb-vorbis, both under Apache-2.0. */" },
    },
  },
  server: {
    proxy: {
      "/ws": { target: server, ws: true, changeOrigin: true, rewriteWsOrigin: true },
      "^/(api|stream|soundfont\\.sf2|health)": { target: server },
    },
  },
});
