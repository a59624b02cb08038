import { defineConfig } from "vite";

// `npm run dev` serves the page itself and passes the rest on to a server that runs already.
const server = "http://127.0.0.1:8770";

export default defineConfig({
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
