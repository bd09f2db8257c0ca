#!/usr/bin/env node
/**
 * Starts Weir. Bun and Deno run the sources. Node runs a bundle, which is made here when it is missing or older than
 * the sources, so that nobody has to know of it.
 *
 * The project is the current folder if it has jobs of its own (`actors/`), else Weir's own examples.
 */
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const weir = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "")
const here = process.cwd()
const project = existsSync(join(here, "actors")) || existsSync(join(here, "weir.config.json")) ? here : weir
const runtime = process.versions.bun !== undefined ? "bun" : process.versions.deno !== undefined ? "deno" : "node"

/** The newest change below these folders; only TypeScript counts. */
const newestOf = (folders) => {
  let newest = 0
  for (const folder of folders) {
    if (!existsSync(folder)) continue
    newest = Math.max(newest, statSync(folder).mtimeMs)
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) {
        if (entry.name !== "node_modules") newest = Math.max(newest, newestOf([path]))
      } else if (!/\.(md|jsonl|csv)$/.test(entry.name)) newest = Math.max(newest, statSync(path).mtimeMs)
    }
  }
  return newest
}

const isOlder = (stamp, folders) => !existsSync(stamp) || statSync(stamp).mtimeMs < newestOf(folders)

const fromSources = () => ({
  root: project,
  actors: join(project, "actors"),
  fixtures: join(project, "fixtures"),
  page: join(weir, "src/daemon/page"),
  weir,
  weirFixtures: join(weir, "fixtures"),
  database: join(weir, "src/platform/SqlWorker.ts")
})

const fromBundle = async () => {
  const dist = join(weir, "dist")
  const sources = ["src", "bin", "actors", "fixtures"].map((folder) => join(weir, folder))
  // An installed package brings its bundle; only a working copy is built.
  if (existsSync(join(weir, "build.mjs")) && isOlder(join(dist, "built"), sources)) {
    const { buildWeir } = await import("../build.mjs")
    await buildWeir()
  }
  const own = {
    page: join(dist, "page"),
    weir,
    weirFixtures: join(dist, "fixtures"),
    database: join(dist, "src/platform/SqlWorker.js")
  }
  if (project === weir) return { ...own, root: weir, actors: join(dist, "actors"), fixtures: join(dist, "fixtures") }
  const build = join(project, ".weir/build")
  if (
    isOlder(
      join(build, "built"),
      ["actors", "fixtures"].map((folder) => join(project, folder))
    )
  ) {
    const { buildProject } = await import("./project.mjs")
    await buildProject(project, build)
  }
  return { ...own, root: project, actors: join(build, "actors"), fixtures: join(build, "fixtures") }
}

try {
  if (runtime === "node") {
    const modules = await fromBundle()
    const { start } = await import("../dist/bin/node.js")
    start(modules)
  } else {
    const { start } = await import(`./${runtime}.ts`)
    start(fromSources())
  }
} catch (error) {
  if (error?.errors === undefined) throw error
  // The bundler has told each error with its place.
  process.stderr.write("The sources cannot be bundled: mend what is said above.\n")
  process.exit(1)
}
