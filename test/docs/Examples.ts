/**
 * The examples of a page, as a person would follow them: its TypeScript is the files of a project, its `console` blocks
 * are typed one after the other, and what the program answers stands where the page says what it answers.
 *
 * A `ts` block begins with the path of its file (`// actors/orders.ts`). One of the same path later on the page takes
 * the place of the first from there on.
 */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect, Fiber } from "effect"
import * as ProjectTemplate from "../../src/cli/ProjectTemplate.ts"
import * as Session from "../../src/cli/Session.ts"
import { layer } from "../../src/platform/node.ts"
import { inProcess } from "../cli/in-process.ts"
import { root } from "../cli/program.ts"
import * as NodeTest from "./NodeTest.ts"

interface Block {
  readonly language: string
  readonly text: string
}

const fence = /^```(\w+)\n(.*?)^```$/gms
const blocksOf = (page: string): ReadonlyArray<Block> =>
  [...page.matchAll(fence)].map(([, language, text]) => ({ language: language!, text: text! }))

interface File {
  readonly path: string
  readonly text: string
}

const fileOf = ({ language, text }: Block): File | null => {
  const path = language === "ts" ? /^\/\/ (\S+)\n/.exec(text)?.[1] : undefined
  return path === undefined ? null : { path, text }
}

/** One command of a `console` block, as it is typed, and what it is given. */
interface Step {
  readonly line: string
  readonly input: string
}

const stepsOf = (text: string): ReadonlyArray<Step> =>
  text
    .split(/^(?=\$ )/m)
    .filter((part) => part.startsWith("$ "))
    .map((part) => {
      const [first, ...rest] = part.split("\n")
      const end = /<<'(\w+)'$/.exec(first!)?.[1]
      const at = end === undefined ? -1 : rest.indexOf(end)
      const input = rest.slice(0, Math.max(0, at))
      const typed = [first, ...rest.slice(0, at + 1)].join("\n")
      return { line: typed, input: input.map((line) => `${line}\n`).join("") }
    })

/** The words of `$ npx weir …`; text in quotes is one word. */
const wordsOf = (line: string): ReadonlyArray<string> =>
  [
    ...line
      .split("\n")[0]!
      .replace(/ <<'\w+'$/, "")
      .matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)
  ]
    .map(([, double, single, bare]) => double?.replaceAll("\\", "") ?? single ?? bare!)
    .slice(1)

// A project

const jobPaths = /from "(weir(?:\/\w+)?|effect|node:test)"/g
const ownModules: Readonly<Record<string, string>> = {
  effect: "node_modules/effect/dist/esm/index.js",
  "node:test": "test/docs/NodeTest.ts",
  weir: "src/index.ts",
  "weir/topic": "src/connectors/topic/index.ts",
  "weir/sql": "src/connectors/sql/index.ts",
  "weir/files": "src/connectors/files/index.ts",
  "weir/console": "src/connectors/console/index.ts",
  "weir/connector": "src/connectors/index.ts",
  "weir/testing": "src/testing/index.ts"
}

/** So that it runs in this process: what it imports is what this process has, files have their whole path. */
const runnable = (text: string, project: string): string =>
  text
    .replaceAll(jobPaths, (_, name: string) => `from ${JSON.stringify(join(root, ownModules[name]!))}`)
    .replaceAll(/Files\.lookup\("/g, `Files.lookup("${project}/`)

const write = (folder: string, { path, text }: File): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

/** What `tsc` says of the files, in a project as `weir init` makes it. */
export const typeErrors = (page: string): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "weir-examples-types-"))
  for (const [path, text] of ProjectTemplate.files("examples", `file:${root}`))
    if (path.endsWith(".json")) write(folder, { path, text })
  const seen = new Map<string, number>()
  for (const block of blocksOf(page)) {
    const file = fileOf(block)
    if (file === null) continue
    const version = seen.get(file.path) ?? 0
    seen.set(file.path, version + 1)
    write(folder, { path: version === 0 ? file.path : file.path.replace(".ts", `-${version}.ts`), text: file.text })
  }
  mkdirSync(join(folder, "node_modules"))
  symlinkSync(root, join(folder, "node_modules/weir"))
  for (const name of ["effect", "@types"])
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name))
  const tsc = join(root, "node_modules/.bin/tsc")
  return new Promise((resolve) =>
    execFile(tsc, ["--noEmit", "--pretty", "false"], { cwd: folder }, (error, out, err) => {
      rmSync(folder, { recursive: true, force: true })
      resolve(error === null ? out : `${out}${err}` || error.message)
    })
  )
}

/** Runs the tests of the page; rejects with the name of the first that fails. */
export const runTests = async (page: string): Promise<void> => {
  const project = mkdtempSync(join(tmpdir(), "weir-examples-tests-"))
  const files = blocksOf(page).flatMap((block) => fileOf(block) ?? [])
  try {
    for (const { path, text } of files) write(project, { path, text: runnable(text, project) })
    for (const { path } of files) {
      if (!path.startsWith("test/")) continue
      await import(/* @vite-ignore */ join(project, path))
      await NodeTest.run()
    }
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
}

/** Somebody who has the data folder while commands come: each opens in no time then. */
const hold = (data: string, project: string) => {
  const modules = {
    root: project,
    actors: join(project, "actors"),
    fixtures: join(project, "fixtures"),
    page: join(root, "src/daemon/page"),
    weir: root,
    weirFixtures: join(root, "fixtures")
  }
  const held = Session.use({ data }, (weir) => Effect.zipRight(weir.statuses, Effect.never))
  const fiber = Effect.runFork(Effect.provide(held, layer(modules)))
  return () => Effect.runPromise(Fiber.interrupt(fiber))
}

/** Follows a page from its beginning, and answers it as it is right: with what each command said. */
export const follow = async (page: string): Promise<string> => {
  const home = mkdtempSync(join(tmpdir(), "weir-examples-"))
  const data = join(home, "data")
  const files = new Map<string, string>()
  for (const block of blocksOf(page)) {
    const file = fileOf(block)
    if (file !== null && !files.has(file.path)) files.set(file.path, file.text)
  }
  let version = 0
  const settle = () => {
    const project = join(home, `project-${version++}`)
    for (const [path, text] of files) write(project, { path, text: runnable(text, project) })
    return { project, release: hold(data, project) }
  }
  let { project, release } = settle()
  const answers: Array<string> = []
  try {
    for (const block of blocksOf(page)) {
      const file = fileOf(block)
      if (file !== null && files.get(file.path) !== file.text) {
        files.set(file.path, file.text)
        await release()
        ;({ project, release } = settle())
      }
      if (block.language !== "console") continue
      let text = ""
      for (const step of stepsOf(block.text)) text += `${step.line}\n${await answerOf(step, { data, project })}`
      answers.push(text)
    }
  } finally {
    await release()
    rmSync(home, { recursive: true, force: true })
  }
  let next = 0
  return page.replaceAll(fence, (whole, language) =>
    language === "console" ? `\`\`\`console\n${answers[next++]}\`\`\`` : whole
  )
}

interface Place {
  readonly data: string
  readonly project: string
}

const answerOf = async ({ input, line }: Step, { data, project }: Place): Promise<string> => {
  const file = /^\$ cat > (\S+) <</.exec(line)?.[1]
  if (file !== undefined) {
    write(project, { path: file, text: input })
    return ""
  }
  const [typed, filter = ""] = line.replace(/^\$ npx weir/, "weir").split(" | ")
  const words = wordsOf(typed!.replace(/ 2>&1$/, ""))
  const { code, err, out } = await inProcess(words, { environment: { WEIR_DATA: data }, input, project })
  if (typed!.endsWith(" 2>&1")) return filtered(settled(`${out}${err}`), filter)
  if (code !== 0) throw new Error(`${line}: ${code}\n${err}`)
  return filtered(settled(out), filter)
}

/** What `sed -n '/from/,/to/p'` leaves, or `'/from/,$p'`. */
const filtered = (text: string, filter: string): string => {
  if (filter === "") return text
  const [, from, to] = /^sed -n '\/(.*?)\/,(?:\$|\/(.*)\/)p'$/.exec(filter) ?? []
  const lines = text.split("\n")
  const first = from === undefined ? -1 : lines.findIndex((line) => new RegExp(from).test(line))
  if (first < 0) throw new Error(`nothing is left of ${text} by: ${filter}`)
  if (to === undefined) return lines.slice(first).join("\n")
  const last = lines.findIndex((line, i) => i > first && new RegExp(to).test(line))
  return lines
    .slice(first, last < 0 ? undefined : last + 1)
    .join("\n")
    .concat("\n")
}

/** The machine's clock is another at each test; what the pages say of their own events is of earlier years. */
const settled = (text: string): string =>
  text
    .replaceAll(/20(?:2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "2026-01-05T09:00:00.000Z")
    .replaceAll(/\t1[7-9]\d{11}\t/g, "\t1767603600000\t")

export const textOf = (page: string): string => readFileSync(join(root, page), "utf8")

/** How many jobs, tests and commands a page has. */
export const countsOf = (page: string) => {
  const blocks = blocksOf(page)
  return {
    files: blocks.filter((block) => fileOf(block) !== null).length,
    unnamed: blocks.filter((block) => block.language === "ts" && fileOf(block) === null).length,
    commands: blocks.filter(({ language }) => language === "console").flatMap(({ text }) => stepsOf(text)).length
  }
}
