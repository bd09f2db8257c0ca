/**
 * Servers in containers, where an engine of Docker answers: the images of `compose.yaml`, on a port of this machine
 * only, with data that is gone with them.
 */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { freePort, Missing, programOf, type Running, run, serve } from "./Service.ts"

export interface Container {
  /** Its name in `compose.yaml`, whose image it is of. */
  readonly service: string
  /** Where the server listens, in the container. */
  readonly port: number
  /** What the image is told, if the server is to be reached at `port`. */
  readonly environment: (port: number) => Readonly<Record<string, string>>
  readonly parameters?: ReadonlyArray<string>
  readonly address: (port: number) => string
  /** Settles when the server answers. */
  readonly answers: (address: string, port: number) => Promise<unknown>
}

/** Does an engine answer? Asked once. */
export const isThere = (
  (known?: Promise<boolean>) => (): Promise<boolean> =>
    (known ??= new Promise((resolve) => {
      if (programOf(["docker"]) === undefined) resolve(false)
      else execFile("docker", ["info"], { timeout: 10_000 }, (error) => resolve(error === null))
    }))
)()

/** Starts the server; rejects with `Missing` where the image cannot be had or the server does not answer. */
export const start = async (container: Container, folder: string): Promise<Running> => {
  const image = imageOf(container.service)
  const isHere = await run("docker", ["image", "inspect", image]).then(
    () => true,
    () => false
  )
  if (!isHere) await run("docker", ["pull", image])
  const port = await freePort()
  const address = container.address(port)
  const { stop } = await serve({
    command: "docker",
    parameters: [
      ...["run", "--rm", "--init", "--publish", `127.0.0.1:${port}:${container.port}`],
      ...Object.entries(container.environment(port)).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
      image,
      ...(container.parameters ?? [])
    ],
    log: join(folder, "docker.log"),
    answers: () => container.answers(address, port)
  })
  return { address, stop }
}

const compose = join(import.meta.dirname, "../../compose.yaml")

const imageOf = (service: string): string => {
  const { services } = parse(readFileSync(compose, "utf8"), { merge: true }) as {
    readonly services: Readonly<Record<string, { readonly image?: string }>>
  }
  const image = services[service]?.image
  if (image === undefined) throw new Missing(`compose.yaml names no image for ${service}`)
  return image
}
