/** Bundles Weir for Node into `dist/`: the program, the library, the jobs, the generators, and the page's files. */
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { dashboardsOf } from "./bin/project.mjs"

const root = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "")

const modulesOf = (folder) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter((name) => name.endsWith(".ts"))
        .map((name) => join(root, folder, name))
    : []

const present = (...files) => files.map((file) => join(root, file)).filter((file) => existsSync(file))

/** Those with a door of their own. */
const connectors = ["topic", "sql", "files", "console", "avro", "protobuf"]

/** The libraries of the page, by the names under which it asks for them. */
const pageLibraries = {
  "echarts-5.6.0.js": "echarts/dist/echarts.min.js",
  "echarts-wordcloud-2.1.0.js": "echarts-wordcloud/dist/echarts-wordcloud.min.js"
}

/** Chunks that a program which still runs may load later are kept for a week. */
const keptMillis = 7 * 24 * 3_600_000

/** Builds beside `dist/`, then moves each file into its place: a program that starts meanwhile finds whole files. */
export const buildWeir = async () => {
  const out = join(root, "dist")
  const building = `${out}-${process.pid}`
  await build({
    entryPoints: [
      ...present(
        "bin/node.ts",
        "src/index.ts",
        "src/connectors/index.ts",
        "src/testing/index.ts",
        "src/platform/SqlWorker.ts"
      ),
      ...present(...connectors.map((connector) => `src/connectors/${connector}/index.ts`)),
      ...modulesOf("actors"),
      ...modulesOf("fixtures")
    ],
    outdir: building,
    outbase: root,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    // A job of this folder that names Weir as a project's does gets the sources, not what was built of them before.
    alias: {
      ...Object.fromEntries(
        connectors.map((connector) => [`weir/${connector}`, join(root, `src/connectors/${connector}/index.ts`)])
      ),
      "weir/connector": join(root, "src/connectors/index.ts"),
      "weir/testing": join(root, "src/testing/index.ts"),
      weir: join(root, "src/index.ts")
    },
    // The first two find their WebAssembly beside their own files, DuckDB its library; the last is installed by those whose
    // jobs need it.
    external: ["@electric-sql/pglite", "@sqlite.org/sqlite-wasm", "esbuild", "@duckdb/node-api", "@bufbuild/protobuf"],
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);'
    },
    logLevel: "error"
  })
  if (existsSync(join(root, "src/daemon/page")))
    cpSync(join(root, "src/daemon/page"), join(building, "page"), { recursive: true })
  for (const [name, file] of Object.entries(pageLibraries))
    cpSync(fileURLToPath(import.meta.resolve(file)), join(building, "page", name))
  for (const dashboard of dashboardsOf(root)) cpSync(join(root, dashboard), join(building, dashboard))
  const files = readdirSync(building, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const entry of files) {
    const folder = join(out, relative(building, entry.parentPath))
    mkdirSync(folder, { recursive: true })
    renameSync(join(entry.parentPath, entry.name), join(folder, entry.name))
  }
  rmSync(building, { recursive: true })
  for (const name of readdirSync(out))
    if (/-[A-Z0-9]{8}\.js$/.test(name) && Date.now() - statSync(join(out, name)).mtimeMs > keptMillis)
      rmSync(join(out, name))
  writeFileSync(join(out, "built"), "")
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildWeir()
