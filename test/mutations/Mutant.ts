/**
 * The engine with one rule broken, run by who is to notice. A mutant may hang or grow: it runs in a process of its own,
 * for so long and with so much memory.
 */
import { spawn } from "node:child_process"
import { cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"
import * as Services from "../services/Services.ts"
import { applied, type Mutation } from "./Mutation.ts"

export interface Verdict {
  /** Who noticed: a job, or a test; `null`: nobody, and somebody was to. */
  readonly by: string | null
  /** Worlds until then; `null`: none was simulated. */
  readonly seeds: number | null
  /** What was noticed, on one line. */
  readonly why: string
}

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")
const out = join(root, "dist/mutants")
/** Worlds that are tried. */
const worldsMax = 24
/** Seconds of the processor that a process may take, and milliseconds of the clock; megabytes that it may fill. */
const secondsMax = 60
const waitedMillisMax = 600_000
const megabytesMax = 1_500

export const run = (mutation: Mutation): Promise<Verdict> => {
  switch (mutation.caught.by) {
    case "simulation":
      return simulated(mutation.caught.job, mutation, worldsMax)
    case "test":
      return tested(mutation, mutation.caught.file, mutation.caught.of)
    case "types":
      return typed(mutation, mutation.caught.file)
    case "nobody":
      return Promise.resolve({ by: "nobody", seeds: null, why: mutation.caught.why })
  }
}

/** A job in worlds from seed 1 on, up to the first in which something is wrong. `null`: the engine as it is. */
export const simulated = async (job: string, mutation: Mutation | null, worlds: number): Promise<Verdict> => {
  const bundle = await bundled(mutation)
  const { code, lines, timedOut } = await child([process.execPath, bundle, job, String(worlds)], {})
  const said = lines.flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []))
  const last = said.at(-1) as { readonly seed: number; readonly why?: string } | undefined
  if (last === undefined) throw new Error(`'${mutation?.name}' did not run: ${lines.join("\n")}`)
  if (last.why !== undefined) return { by: job, seeds: last.seed, why: last.why }
  if (timedOut) return { by: job, seeds: last.seed, why: "the world does not end" }
  if (code !== 0) return { by: job, seeds: last.seed, why: "the process dies" }
  return { by: null, seeds: worlds, why: "nothing is wrong" }
}

const bundled = async (mutation: Mutation | null): Promise<string> => {
  const outfile = join(out, `${(mutation?.name ?? "none").replaceAll(/\W+/g, "-")}.mjs`)
  await build({
    entryPoints: [join(root, "test/mutations/Simulated.ts")],
    outfile,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "error",
    plugins: [
      {
        name: "mutation",
        setup: ({ onLoad }) =>
          onLoad({ filter: /\/(src|test|fixtures|actors)\/.*\.ts$/ }, async ({ path }) => {
            const place = { dirname: dirname(path), url: pathToFileURL(path).href }
            const text = (await readFile(path, "utf8")).replaceAll(/import\.meta\.(dirname|url)/g, (_, name) =>
              JSON.stringify(place[name as keyof typeof place])
            )
            const isIts = mutation !== null && path === join(root, "src", mutation.file)
            return { contents: isIts ? applied(mutation, text) : text, loader: "ts" }
          })
      }
    ]
  })
  return outfile
}

/** A file of tests, up to the first that fails. */
const tested = async (mutation: Mutation, file: string, of: string | undefined): Promise<Verdict> => {
  const report = join(out, `${mutation.name.replaceAll(/\W+/g, "-")}.json`)
  await mkdir(out, { recursive: true })
  await rm(report, { force: true })
  const vitest = join(root, "node_modules/vitest/vitest.mjs")
  // A busy machine is no failure.
  const patience = ["--testTimeout=600000", "--hookTimeout=600000"]
  const words = ["run", join("test", file), "--bail=1", "--reporter=json", `--outputFile=${report}`, ...patience]
  const { lines, timedOut } = await child(
    [process.execPath, vitest, ...words, ...(of === undefined ? [] : ["-t", of])],
    { WEIR_MUTATION: mutation.name, ...noServers }
  )
  const by = `test/${file}`
  const found = await readFile(report, "utf8").catch(() => null)
  if (found === null) {
    if (timedOut) return { by, seeds: null, why: "the tests do not end" }
    throw new Error(`'${mutation.name}' was not tested: ${lines.join("\n")}`)
  }
  const results: ReadonlyArray<VitestFile> = JSON.parse(found).testResults
  const all = results.flatMap(({ assertionResults }) => assertionResults)
  const failed = all.find(({ status }) => status === "failed")
  if (failed !== undefined) return { by, seeds: null, why: [...failed.ancestorTitles, failed.title].join(" > ") }
  const broken = results.find(({ status }) => status === "failed")
  if (broken !== undefined) {
    const why = (broken.message ?? "").split("\n")[0]!
    if (why === "" || why.includes("timed out"))
      throw new Error(`'${mutation.name}' was not tested: ${lines.join("\n")}`)
    return { by, seeds: null, why }
  }
  if (!all.some(({ status }) => status === "passed")) throw new Error(`'${mutation.name}': no test has '${of}'`)
  return { by: null, seeds: null, why: "all tests pass" }
}

/** What notices a mutant needs no server: a broker that is named is not started. */
const noServers = { [Services.all.kafka.variable]: "127.0.0.1:1" }

interface VitestFile {
  readonly status: string
  readonly message?: string
  readonly assertionResults: ReadonlyArray<{
    readonly status: string
    readonly title: string
    readonly ancestorTitles: ReadonlyArray<string>
  }>
}

/** The compiler reads from a folder, so the sources are copied to one. */
const typed = async (mutation: Mutation, file: string): Promise<Verdict> => {
  const folder = join(out, mutation.name.replaceAll(/\W+/g, "-"))
  await rm(folder, { recursive: true, force: true })
  await cp(join(root, "src"), join(folder, "src"), { recursive: true })
  await cp(join(root, "test", file), join(folder, "test", file), { recursive: true })
  await symlink(join(root, "node_modules"), join(folder, "node_modules"))
  const place = join(folder, "src", mutation.file)
  await writeFile(place, applied(mutation, await readFile(place, "utf8")))
  const { compilerOptions } = JSON.parse(await readFile(join(root, "tsconfig.json"), "utf8"))
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [join("test", file)] }))
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  const { code, lines } = await child([process.execPath, join(root, "node_modules/typescript/bin/tsc")], {}, folder)
  const error = lines.find((line) => line.includes("error TS"))
  return code === 0 || error === undefined
    ? { by: null, seeds: null, why: lines.join(" ") || "it compiles" }
    : { by: `test/${file}`, seeds: null, why: error.slice(error.indexOf("error TS")) }
}

interface Ended {
  readonly code: number | null
  readonly lines: ReadonlyArray<string>
  readonly timedOut: boolean
}

/** Ends it after so much time of the processor: what other processes do is no reason. */
const child = (
  words: ReadonlyArray<string>,
  variables: Readonly<Record<string, string>>,
  cwd: string = root
): Promise<Ended> =>
  new Promise((resolve) => {
    const { VITEST: _, ...inherited } = process.env
    const env = { ...inherited, ...variables, NODE_OPTIONS: `--max-old-space-size=${megabytesMax}` }
    const one = spawn("sh", ["-c", `ulimit -t ${secondsMax}; exec "$@"`, "sh", ...words], { cwd, env })
    let text = ""
    const timer = setTimeout(() => one.kill("SIGKILL"), waitedMillisMax)
    const take = (bytes: Buffer): void => {
      text += bytes
    }
    one.stdout.on("data", take)
    one.stderr.on("data", take)
    one.on("close", (code, signal) => {
      clearTimeout(timer)
      resolve({ code, lines: text.split("\n").filter((line) => line !== ""), timedOut: signal !== null })
    })
  })
