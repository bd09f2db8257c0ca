/** The module of the embedded database's thread, bundled: Node runs no sources. */
import { mkdirSync, mkdtempSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"

const root = join(import.meta.dirname, "../..")

/** Its path, in a folder of its own that the caller removes; the driver is found from there. */
export const bundledWorker = async (): Promise<{ readonly folder: string; readonly module: string }> => {
  mkdirSync(join(root, "dist"), { recursive: true })
  const folder = mkdtempSync(join(root, "dist/test-"))
  const outfile = join(folder, "SqlWorker.mjs")
  await build({
    entryPoints: [join(root, "src/platform/SqlWorker.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    external: ["@electric-sql/pglite"],
    logLevel: "error"
  })
  return { folder, module: outfile }
}
