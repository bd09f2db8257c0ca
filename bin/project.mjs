/** Bundles the jobs of a person's project for Node: its packages stay where they are. */
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs"
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
  writeFileSync(join(out, "built"), "")
}
