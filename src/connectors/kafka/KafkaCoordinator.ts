/** The brokers that coordinate: each the transactions of some ids, and the offsets of some groups. */
import { Effect } from "effect"
import { checked } from "./KafkaClient.ts"
import type { KafkaFailure } from "./KafkaFailure.ts"
import { type Request, request } from "./KafkaRequests.ts"
import type { Cluster } from "./KafkaTopics.ts"

/** What a broker coordinates. */
export interface Coordinated {
  readonly kind: "group" | "transaction"
  readonly name: string
}

/** Asks the broker that coordinates this group, or the transactions of this id; after a failure it is looked for anew. */
export const onCoordinator = <A extends { readonly error: number }>(
  { client, coordinators }: Cluster,
  coordinated: Coordinated,
  request: Request<A>
): Effect.Effect<A, KafkaFailure> => {
  const key = `${coordinated.kind} ${coordinated.name}`
  return Effect.gen(function* () {
    const find = client.send(null, findCoordinator(coordinated))
    const node = coordinators.get(key) ?? (yield* Effect.flatMap(find, checked)).node
    coordinators.set(key, node)
    return yield* Effect.flatMap(client.send(node, request), checked)
  }).pipe(Effect.tapError(() => Effect.sync(() => coordinators.delete(key))))
}

// Private

const findCoordinator = ({ kind, name }: Coordinated): Request<{ readonly error: number; readonly node: number }> =>
  request(
    "FindCoordinator",
    10,
    2,
    (to) => {
      to.text(name)
      to.int8(kind === "group" ? 0 : 1)
    },
    (from) => {
      from.int32()
      const error = from.int16()
      from.text()
      return { error, node: from.int32() }
    }
  )
