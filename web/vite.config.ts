import { defineConfig } from "vite";

const ENTRIES: Record<string, string> = {
  widget: "src/chat/main.ts",
  console: "src/console/main.ts",
};

/** One build an entry (`--mode widget`, `--mode console`), so that each is a single file. */
export default defineConfig(({ mode }) => {
  const input = ENTRIES[mode];
  if (input === undefined) {
    throw new Error(`Expected --mode ${Object.keys(ENTRIES).join(" or ")}, got ${mode}.`);
  }
  return {
    publicDir: false,
    build: {
      target: ["chrome111", "firefox114", "safari16.4"],
      outDir: "../bot/gateway/static",
      emptyOutDir: false, // site.css lives there too
      modulePreload: false,
      rolldownOptions: { input, output: { entryFileNames: `${mode}.js` } },
    },
  };
});
