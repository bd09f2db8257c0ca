/** The ledgers of a data folder: one folder for each, made of its key. */
import { FileSystem } from "@effect/platform"
import { Effect, Layer } from "effect"
import { type FileLedger, FileLedgers } from "../../flow/FileLedgers.ts"
import * as Digest from "../../model/Digest.ts"
import { makeFolder } from "./LedgerDisk.ts"
import * as LedgerFile from "./LedgerFile.ts"

/** Where the ledgers of a data folder are. */
export const inData = (data: string): string => `${data}/files`

/** The ledgers below a folder, which this process owns. */
export const layer = ({
  folder
}: {
  readonly folder: string
}): Layer.Layer<FileLedgers, never, FileSystem.FileSystem> =>
  Layer.effect(
    FileLedgers,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const ledgers = new Map<string, FileLedger>()
      const opening = yield* Effect.makeSemaphore(1)
      return {
        open: (key) =>
          Effect.gen(function* () {
            const known = ledgers.get(key)
            if (known !== undefined) return known
            yield* makeFolder(fs, folder)
            const ledger = yield* LedgerFile.open(fs, pathOf(folder, key), key)
            ledgers.set(key, ledger)
            return ledger
          }).pipe(opening.withPermits(1)),
        look: (key) => LedgerFile.look(fs, pathOf(folder, key))
      }
    })
  )

// Private

/** Where the ledger of a key is. A person knows it by the folder and the pattern that it begins with. */
const pathOf = (folder: string, key: string): string => {
  const digest = Digest.make()
  digest.bytes(new TextEncoder().encode(key))
  const name = key.replaceAll(/[^A-Za-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "")
  return `${folder}/${name.slice(0, nameCharactersMax)}-${digest.result()}`
}

const nameCharactersMax = 60
