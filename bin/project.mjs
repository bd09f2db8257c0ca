/** Bundles the jobs of a person's project for Node: its packages stay where they are. */
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** Every module of `actors/` and `fixtures/` of `project` becomes one of `out`. */
export const buildProject = async (project, out) => {
  const { build } = await import("esbuild")
  const entryPoints = ["actors", "fixtures"].flatMap((folder) =>
    existsSync(join(project, folder))
      ? readdirSync(join(project, folder))
          .filter((name) => /\.(ts|js|mjs)$/.test(name) && !/\.(d|test)\.ts$/.test(name))
          .map((name) => join(project, folder, name))
      : []
  )
  rmSync(out, { recursive: true, force: true })
  await build({
    entryPoints,
    outdir: out,
    outbase: project,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    sourcemap: true,
    logLevel: "error"
  })
  for (const dashboard of dashboardsOf(project)) cpSync(join(project, dashboard), join(out, dashboard))
  writeFileSync(join(out, "built"), "")
}

/** `actors/<system>/dashboard.json`, for each system that brings one. */
export const dashboardsOf = (project) => {
  const actors = join(project, "actors")
  return (existsSync(actors) ? readdirSync(actors) : [])
    .map((system) => join("actors", system, "dashboard.json"))
    .filter((dashboard) => existsSync(join(project, dashboard)))
}
