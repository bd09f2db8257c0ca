/**
 * Runs a bench on Node: `node bench/run.mjs <name> [options]`. Bundles `bench/*.ts` into `dist/bench` first, with
 * names kept, so that a profile can be read. Bun runs the sources: `bun bench/<name>.ts`.
 */
import { spawnSync } from "node:child_process"
import { cpSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const folder = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "")
const out = join(folder, "../dist/bench")
// A concept that benches share has a name of its own in capitals.
const names = readdirSync(folder).flatMap((file) => (/^[a-z-]+\.ts$/.test(file) ? [file.slice(0, -3)] : []))
const [name, ...options] = process.argv.slice(2)

if (!names.includes(name)) {
  process.stderr.write(`npm run bench <name>, where the name is one of: ${names.join(", ")}\n`)
  process.exit(2)
}
await build({
  entryPoints: [...names.map((one) => join(folder, `${one}.ts`)), join(folder, "../src/platform/SqlWorker.ts")],
  entryNames: "[name]",
  outdir: out,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  external: ["@electric-sql/pglite", "esbuild", "@duckdb/node-api"],
  banner: {
    js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);'
  },
  logLevel: "error"
})
// The broker's jars are named by a file that its module looks for beside itself.
cpSync(join(folder, "../test/services/kafka/pom.xml"), join(out, "kafka/pom.xml"))
const { status } = spawnSync(process.execPath, [...process.execArgv, join(out, `${name}.js`), ...options], {
  stdio: "inherit"
})
process.exit(status ?? 1)
