/**
 * Runs a program of this folder: `node test/run.mjs <file> [words]`. Node reads no TypeScript, so it is bundled first.
 */
import { readFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"

const folder = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "")
const [file, ...words] = process.argv.slice(2)
const out = join(folder, "../dist/test", `${basename(file, ".ts")}.mjs`)

/** What lies beside a source is found where that is. */
const places = {
  name: "places",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/(src|test|fixtures)\/.*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8"))
        .replaceAll("import.meta.dirname", JSON.stringify(dirname(path)))
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)),
      loader: "ts"
    }))
}

await build({
  entryPoints: [join(folder, file)],
  outfile: out,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  plugins: [places],
  logLevel: "error"
})
process.argv = [process.argv[0], out, ...words]
await import(pathToFileURL(out).href)
