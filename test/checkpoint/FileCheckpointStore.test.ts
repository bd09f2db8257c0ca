import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as FileCheckpointStore from "../../src/checkpoint/FileCheckpointStore.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"

// A busy machine is slow; none of these waits for a time.
vi.setConfig({ testTimeout: 60_000 })

const temporaryRoot = Effect.flatMap(FileSystem.FileSystem, (files) =>
  Effect.map(files.makeTempDirectoryScoped(), (folder) => `${folder}/data/checkpoints`)
)

describe("the checkpoint store in a folder", () => {
  it.layer(NodeFileSystem.layer)((it) => {
    const handle = { step: "income", keyGroup: 7, baseEpoch: 1, deltaEpochs: [] }
    const written = {
      handles: [handle],
      state: [{ step: "income", parts: [StoreSuite.part(7, "base", "the base of key group 7")] }]
    }

    for (const kind of ["claims", "intents", "manifests", "states"]) {
      it.scoped(`finds a flipped bit and a cut anywhere in a file of ${kind}`, () =>
        Effect.gen(function* () {
          const files = yield* FileSystem.FileSystem
          const root = yield* temporaryRoot
          const store = yield* FileCheckpointStore.make(root)
          const claim = yield* store.claim("orders", "job-1")
          yield* store.writeIntent(claim, StoreSuite.intentOf(claim, 1))
          if (kind !== "intents") yield* store.commit(claim, StoreSuite.epochOf(claim, 1, written))
          const path = `${root}/orders/${kind}/${kind === "claims" ? "1" : "1.1.1"}`
          const whole = yield* files.readFile(path)
          const reading = Effect.zipRight(
            store.lookUp("orders"),
            kind === "intents" ? Effect.void : store.readState(StoreSuite.manifestOf(claim, 1, [handle]))
          )
          yield* reading
          for (let at = 0; at < whole.length; at += 3) {
            const flipped = Uint8Array.from(whole)
            flipped[at]! ^= 1 << (at % 8)
            for (const bytes of [flipped, whole.subarray(0, at)]) {
              yield* files.writeFile(path, bytes)
              expect(yield* Effect.flip(reading)).toMatchObject({ _tag: "CheckpointCorrupted" })
            }
          }
          yield* files.writeFile(path, whole)
          yield* reading
        })
      )
    }

    it.scoped("refuses a folder of a newer version and changes nothing in it", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const root = yield* temporaryRoot
        yield* FileCheckpointStore.make(root)
        const other = Uint8Array.from(yield* files.readFile(`${root}/.version`))
        other[other.length - 1] = "2".charCodeAt(0)
        yield* files.writeFile(`${root}/.version`, other)
        expect(yield* Effect.flip(FileCheckpointStore.make(root))).toMatchObject({ _tag: "FolderNewer", folder: root })
        expect(Uint8Array.from(yield* files.readFile(`${root}/.version`))).toEqual(other)
      })
    )

    it.scoped("leaves no more files behind than the kept manifests need", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const root = yield* temporaryRoot
        const store = yield* Effect.provide(CheckpointStore, FileCheckpointStore.layer(root))
        for (const generation of [1, 2]) {
          const claim = yield* store.claim("orders", "job-1")
          for (let epoch = generation * 10 - 9; epoch <= generation * 10; epoch++) {
            yield* store.writeIntent(claim, StoreSuite.intentOf(claim, epoch))
            const handles = [{ ...handle, baseEpoch: epoch }]
            yield* store.commit(claim, StoreSuite.epochOf(claim, epoch, { ...written, handles }))
          }
        }
        const names = (kind: string) =>
          Effect.map(files.readDirectory(`${root}/orders/${kind}`), (found) => found.sort())
        for (const kind of ["manifests", "intents", "states"]) {
          expect(yield* names(kind)).toEqual(["1.18.2", "1.19.2", "1.20.2"])
        }
        expect(yield* names("claims")).toEqual(["2"])
      })
    )

    it.scoped("makes its folder where the path has but one name, or is at the root", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const synced: Array<string> = []
        const made = FileSystem.FileSystem.of({
          ...files,
          exists: () => Effect.succeed(false),
          makeDirectory: () => Effect.void,
          open: (path) =>
            Effect.suspend(() => {
              synced.push(path)
              return files.open(".", { flag: "r" })
            })
        })
        for (const root of ["ck", "/ck"])
          yield* Effect.ignore(Effect.provideService(FileCheckpointStore.make(root), FileSystem.FileSystem, made))
        expect(new Set(synced.filter((path) => !path.includes(".writing")))).toEqual(new Set([".", "/"]))
      })
    )

    it.scoped("makes nothing visible of an owner that died while it wrote", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const root = yield* temporaryRoot
        const dying = FileSystem.FileSystem.of({
          ...files,
          link: (from, to) => (to.includes("/manifests/") ? Effect.die("power cut") : files.link(from, to))
        })
        const store = yield* Effect.provideService(FileCheckpointStore.make(root), FileSystem.FileSystem, dying)
        const claim = yield* store.claim("orders", "job-1")
        yield* store.writeIntent(claim, StoreSuite.intentOf(claim, 1))
        yield* Effect.exit(store.commit(claim, StoreSuite.epochOf(claim, 1, written)))
        expect(yield* files.readDirectory(`${root}/orders/states`)).toEqual(["1.1.1"])
        const next = yield* FileCheckpointStore.make(root)
        const second = yield* next.claim("orders", "job-1")
        expect([second.manifest, second.intents.length]).toEqual([null, 1])
        expect(yield* next.progress("orders", 10)).toEqual([])
        yield* next.commit(second, StoreSuite.epochOf(second, 1, written))
        expect(yield* next.readState(StoreSuite.manifestOf(second, 1, [handle]))).toEqual(written.state)
      })
    )

    it.scoped("syncs a file before it has its name, and its folder after", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const root = yield* temporaryRoot
        const calls: Array<string> = []
        const folderOf = (path: string) => path.slice(root.length).replace(/[^/]*$/, "")
        const recording = FileSystem.FileSystem.of({
          ...files,
          open: (path, options) =>
            Effect.map(files.open(path, options), (file) => {
              const what = options?.flag === "wx" ? `file in ${folderOf(path)}` : `folder ${path.slice(root.length)}/`
              const sync = Effect.zipRight(
                Effect.sync(() => calls.push(`sync ${what}`)),
                file.sync
              )
              return Object.create(file, { sync: { value: sync } })
            }),
          link: (from, to) =>
            Effect.zipRight(
              Effect.sync(() => calls.push(`link in ${folderOf(to)}`)),
              files.link(from, to)
            )
        })
        const store = yield* Effect.provideService(FileCheckpointStore.make(root), FileSystem.FileSystem, recording)
        const claim = yield* store.claim("orders", "job-1")
        for (const epoch of [1, 2]) {
          calls.length = 0
          yield* store.writeIntent(claim, StoreSuite.intentOf(claim, epoch))
          yield* store.commit(
            claim,
            StoreSuite.epochOf(claim, epoch, { handles: [{ ...handle, baseEpoch: epoch }], state: written.state })
          )
        }
        const order = ["intents", "states", "progress", "manifests"].flatMap((kind) => [
          `sync file in /orders/${kind}/`,
          `link in /orders/${kind}/`,
          `sync folder /orders/${kind}/`
        ])
        expect(calls).toEqual(order)
      })
    )

    it.scoped("removes what older owners left half done, and nothing of a newer one", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const root = yield* temporaryRoot
        const store = yield* FileCheckpointStore.make(root)
        const claim = yield* store.claim("orders", "job-1")
        yield* store.writeIntent(claim, StoreSuite.intentOf(claim, 1))
        for (const name of ["1.2.1", "1.2.9"])
          yield* files.writeFileString(`${root}/orders/intents/.writing-77-${name}`, "x")
        yield* store.claim("orders", "job-1")
        expect((yield* files.readDirectory(`${root}/orders/intents`)).sort()).toEqual([".writing-77-1.2.9", "1.1.1"])
      })
    )

    it.scoped("goes on where a paused owner added a file of its epoch after the job was taken over", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const root = yield* temporaryRoot
        const store = yield* FileCheckpointStore.make(root)
        const first = yield* store.claim("orders", "job-1")
        yield* store.writeIntent(first, StoreSuite.intentOf(first, 1))
        yield* store.commit(first, StoreSuite.epochOf(first, 1, written))
        const second = yield* store.claim("orders", "job-1")
        // The old owner had looked at the claims before, and writes only now.
        const late = `${root}/orders/intents`
        yield* files.copyFile(`${late}/1.1.1`, `${late}/1.2.1`)
        const intent = StoreSuite.intentOf(second, 2)
        yield* store.writeIntent(second, intent)
        expect((yield* store.lookUp("orders"))?.intents).toEqual([intent])
        expect(yield* Effect.flip(store.writeIntent(second, { ...intent, closedAt: 1 }))).toMatchObject({
          _tag: "Defect"
        })
        yield* files.copyFile(`${root}/orders/manifests/1.1.1`, `${root}/orders/manifests/1.2.1`)
        yield* store.commit(
          second,
          StoreSuite.epochOf(second, 2, {
            handles: [{ ...handle, deltaEpochs: [2] }],
            state: [{ step: "income", parts: [StoreSuite.part(7, "delta", "more")] }]
          })
        )
        const third = yield* store.claim("orders", "job-1")
        expect(third.manifest).toMatchObject({ epoch: 2, generation: 2 })
        expect((yield* store.readState(third.manifest!))[0]?.parts.length).toBe(2)
      })
    )
  })
})
