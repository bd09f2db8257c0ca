/**
 * Follows a Dockerfile without a container engine: each stage is a tree laid over this machine's own, commands run in it
 * by `chroot`, in the order in which they stand. It shows what an engine would find, but for the base images: this
 * machine stands for them. Needs to be root, and mounts of its own.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"

export interface Instruction {
  readonly name: string
  readonly text: string
}

export interface Stage {
  readonly base: string
  readonly name: string
  readonly instructions: ReadonlyArray<Instruction>
}

/** The stages of a Dockerfile, as they stand. */
export const stagesOf = (text: string): ReadonlyArray<Stage> => {
  const stages: Array<{ base: string; name: string; instructions: Array<Instruction> }> = []
  for (const line of text.replaceAll(/\\\n/g, " ").split("\n")) {
    const [, name, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? []
    if (name === undefined) continue
    const from = name === "FROM" ? /^(\S+) AS (\S+)$/.exec(rest!) : null
    if (from !== null) stages.push({ base: from[1]!, name: from[2]!, instructions: [] })
    else stages.at(-1)!.instructions.push({ name, text: rest! })
  }
  return stages
}

/** The last instruction of a name; a stage without it has `""`. */
export const lastOf = (stage: Stage, name: string): string =>
  stage.instructions.findLast((instruction) => instruction.name === name)?.text ?? ""

/** Words of an instruction's JSON form: `CMD ["weir", "health"]`. */
export const wordsOf = (text: string): ReadonlyArray<string> => JSON.parse(text.slice(text.indexOf("[")))

/** What a `COPY` takes of the context, or of another stage. */
export const copyOf = (text: string) => {
  const words = text.split(/\s+/)
  const flags = words.filter((word) => word.startsWith("--"))
  const paths = words.filter((word) => !word.startsWith("--"))
  return {
    from: flags.find((flag) => flag.startsWith("--from="))?.slice("--from=".length) ?? null,
    mode: flags.find((flag) => flag.startsWith("--chmod="))?.slice("--chmod=".length) ?? null,
    sources: paths.slice(0, -1),
    target: paths.at(-1)!
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Lines of a shell that make the tree of a stage at `$work/<stage>`; `$context` is what is copied from. */
export const building = ({ instructions, name }: Stage): ReadonlyArray<string> => {
  const tree = `"$work/${name}"`
  let folder = "/"
  const environment: Array<string> = []
  const lines = [`layer ${name}`]
  for (const instruction of instructions) {
    if (instruction.name === "WORKDIR") {
      folder = instruction.text
      lines.push(`mkdir -p ${tree}${folder}`)
    } else if (instruction.name === "ENV") environment.push(instruction.text)
    else if (instruction.name === "COPY") {
      const { from, mode, sources, target } = copyOf(instruction.text)
      const to = target.startsWith("/") ? target : join(folder, target)
      for (const source of sources) {
        const path = from === null ? `"$context"/${source}` : `"$work/${from}"${source}`
        lines.push(`copy ${path} ${tree}${to} ${target.endsWith("/") ? "into" : "as"}`)
      }
      if (mode !== null) lines.push(`chmod ${mode} ${tree}${to}`)
    } else if (instruction.name === "RUN")
      lines.push(
        `chroot ${tree} env -i PATH="$PATH" HOME=/root $registry ${environment.join(" ")} sh -c ${quoted(`cd ${folder} && ${instruction.text}`)}`
      )
  }
  return lines
}

/** How its commands are run in the finished stage: as its user, in its folder, with its environment and `more`. */
export const running = (stage: Stage, more: Readonly<Record<string, string>>): string => {
  const [user, group] = lastOf(stage, "USER").split(":")
  const own = stage.instructions.flatMap(({ name, text }) => (name === "ENV" ? [text] : []))
  const environment = Object.entries(more).map(([name, value]) => `${name}=${quoted(value)}`)
  return `chroot "$work/${stage.name}" setpriv --reuid ${user} --regid ${group} --clear-groups --no-new-privs env -i PATH="$PATH" ${own.join(" ")} ${environment.join(" ")} sh -c 'cd ${lastOf(stage, "WORKDIR")} && exec "$@"' sh`
}

/** What the lines of a stage call. */
const prelude = `set -eu
layer() {
  mkdir -p "$work/layers/$1" "$work/layers/$1-work" "$work/$1"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$work/layers/$1,workdir=$work/layers/$1-work" "$work/$1"
  mount --rbind /dev "$work/$1/dev"
  mount -t proc proc "$work/$1/proc"
  mount -t tmpfs tmpfs "$work/$1/tmp"
  # What lies beside the sources here is in no image.
  mkdir -p "$work/$1$context"
  mount -t tmpfs tmpfs "$work/$1$context"
}
copy() {
  if test -d "$1"; then mkdir -p "$2"; cp -R "$1/." "$2"
  elif test "$3" = into; then mkdir -p "$2"; cp "$1" "$2/"
  else mkdir -p "$(dirname "$2")"; cp "$1" "$2"; fi
}
`

/** Where packages come from here, as an engine would be told by build arguments. */
const registry = Object.entries(process.env)
  .filter(([name, value]) => /^(npm_config_registry|https?_proxy|no_proxy)$/i.test(name) && value !== "")
  .map(([name, value]) => `${name}=${value}`)
  .join(" ")

/** Runs lines of a shell with mounts of their own; answers what they said. */
export const shell = (lines: ReadonlyArray<string>, variables: Readonly<Record<string, string>>) =>
  new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) => {
    const child = spawn("unshare", ["--mount", "sh", "-c", prelude + lines.join("\n")], {
      env: { ...process.env, registry, ...variables },
      stdio: ["ignore", "pipe", "pipe"]
    })
    const said = { out: "", err: "" }
    child.stdout.on("data", (piece) => {
      said.out += piece
    })
    child.stderr.on("data", (piece) => {
      said.err += piece
    })
    child.on("error", ({ message }) => resolve({ code: null, out: "", err: message }))
    child.on("close", (code) => resolve({ code, ...said }))
  })

export const read = (path: string): ReadonlyArray<Stage> => stagesOf(readFileSync(path, "utf8"))
