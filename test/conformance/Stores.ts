/** The checkpoint stores that need no database. */
import { join } from "node:path"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as FileCheckpointStore from "../../src/checkpoint/FileCheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"
import * as Subject from "./Subject.ts"

/** Its memory does not fail. */
export const memory = (): Subject.Subject =>
  Subject.make("memory", Layer.empty, {
    checkpoints: StoreSuite.cases({
      place: Effect.map(MemoryCheckpointStore.make, (store) => ({ open: Effect.succeed(store), damage: null })),
      tables: false,
      damage: false
    })
  })

/** `folder` is new. */
export const files = (folder: string): Subject.Subject => {
  let places = 0
  return Subject.make("files", NodeContext.layer, {
    checkpoints: StoreSuite.cases({
      place: Effect.map(FileSystem.FileSystem, (files) => placeIn(join(folder, `checkpoints-${++places}`), files)),
      tables: false,
      damage: true
    })
  })
}

// Private

const placeIn = (root: string, files: FileSystem.FileSystem): StoreSuite.Place => {
  const flip = (path: string) =>
    Effect.flatMap(files.readFile(path), (found) => {
      const bytes = Uint8Array.from(found)
      bytes[bytes.length - 1]! ^= 1
      return files.writeFile(path, bytes)
    })
  const damage = (kind: string) => (job: string, epoch: number) => flip(`${root}/${job}/${kind}/1.${epoch}.1`)
  const damageLookup = (job: string, version: string) =>
    Effect.flatMap(files.readDirectory(`${root}/${job}/lookups`), (names) =>
      flip(`${root}/${job}/lookups/${names.find((name) => name.endsWith(version))}`)
    )
  return {
    open: Effect.provideService(FileCheckpointStore.make(root), FileSystem.FileSystem, files),
    damage: { manifest: damage("manifests"), intent: damage("intents"), state: damage("states"), lookup: damageLookup }
  }
}
