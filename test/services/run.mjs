/** Runs `run.ts`: Node reads no TypeScript, so it is bundled first. */
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const folder = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "")
const out = `${folder}/../../dist/services.mjs`
await build({
  entryPoints: [`${folder}/run.ts`],
  outfile: out,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  // What lies beside the sources is found where they are.
  define: { "import.meta.dirname": JSON.stringify(folder), "import.meta.url": JSON.stringify(import.meta.url) },
  logLevel: "error"
})
await import(out)
