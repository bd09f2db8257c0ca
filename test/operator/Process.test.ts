import { FastCheck, Schema } from "effect"
import { describe, expect, test, vi } from "vitest"
import { type Context, stateCodec } from "../../src/flow/Process.ts"
import type { SpecOf } from "../../src/flow/Topology.ts"
import { StateLimitExceeded } from "../../src/model/Errors.ts"
import { eventTimeMax } from "../../src/model/Time.ts"
import type { Operator } from "../../src/operator/Operator.ts"
import * as Process from "../../src/operator/Process.ts"
import { type Arrival, byPlace, Run, type Story, storyOf, tell } from "./Epochs.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

interface Sale {
  readonly item: number
  readonly price: number
}
class Till extends Schema.Class<Till>("Till")({ sum: Schema.BigInt, log: Schema.Array(Schema.String) }) {}
type TillContext = Context<Till, { readonly item: number }, { readonly alerts: string }>

const says = (text: string, state: Till | undefined) => `${text} after ${state?.sum ?? "nothing"} ${state?.log.join()}`

// Uses all that a context has.
const onEvent = (sale: Sale, context: TillContext): Iterable<string> => {
  const { cancelTimer, emit, eventTime, forget, keep, key, setProcessingTimer, setTimer, state } = context
  const name = `sale ${key.item} for ${sale.price}`
  if (sale.price === 0) forget()
  else
    keep(
      new Till({
        sum: (state?.sum ?? 0n) + BigInt(sale.price),
        log: [...(state?.log.slice(-3) ?? []), `${sale.price}`]
      })
    )
  if (eventTime !== null) {
    setTimer(eventTime + (sale.price % 4) * 7 - 5)
    if (sale.price % 5 === 0) cancelTimer(eventTime + 2)
  }
  if (sale.price % 3 === 0) setProcessingTimer(`${sale.price * 3} millis`)
  if (sale.price > 7) emit("alerts", name)
  return [says(name, state), name]
}
const onTimer = (at: number, context: TillContext): Iterable<string> => {
  if (at % 2 === 0) context.setTimer(at + 3)
  if (at % 7 === 0) context.forget()
  return [says(`timer ${context.key.item} at ${at}`, context.state)]
}
const onProcessingTimer = (at: number, { emit, key, setProcessingTimer, state }: TillContext): undefined => {
  if (at % 2 === 0) setProcessingTimer("0 millis")
  emit("alerts", says(`processing timer ${key.item} at ${at}`, state))
}

const spec = (over: Partial<SpecOf<"process">> = {}): SpecOf<"process"> => ({
  kind: "process",
  id: "tills",
  state: stateCodec(Till),
  outputs: ["alerts"],
  onEvent: onEvent as never,
  onTimer: onTimer as never,
  onProcessingTimer: onProcessingTimer as never,
  ...over
})
const make = (timed = true, over: Partial<SpecOf<"process">> = {}, bounds: Partial<Process.Options> = {}): Operator =>
  Process.make({
    id: "tills",
    keyBy: { kind: "keyBy", columns: [{ name: "item", of: (sale: Sale) => sale.item }] },
    process: spec(over),
    timed,
    ...bounds
  })

const story = storyOf(FastCheck.record({ item: FastCheck.nat(2), price: FastCheck.nat(11) }))

interface Made {
  readonly epoch: number
  readonly port: string
  readonly value: unknown
  readonly at: number | null
}

/** The rule, one thing after the other: whatever is due next is looked for among everything. */
const oracle = (told: Story<Sale>, timed: boolean) => {
  const made: Array<Made> = []
  const late: Array<Arrival<Sale>> = []
  const states = new Map<number, Till>()
  const timers = new Set<string>()
  const processing = new Set<string>()
  const parse = (set: Set<string>) =>
    [...set].map((text) => text.split("/").map(Number) as [number, number]).sort((a, b) => a[0] - b[0] || a[1] - b[1])
  let waiting: Array<Arrival<Sale>> = []
  let passed = Number.NEGATIVE_INFINITY
  told.epochs.forEach((events, i) => {
    const closedAt = told.closedAts[i]!
    const contextOf = (item: number, now: number | null): TillContext => ({
      key: { item },
      get state() {
        return states.get(item)
      },
      keep: (state) => {
        states.set(item, state)
      },
      forget: () => {
        states.delete(item)
      },
      eventTime: now as never,
      closedAt: closedAt as never,
      setTimer: (at) => {
        timers.add(`${Math.max(at, now!)}/${item}`)
      },
      cancelTimer: (at) => {
        timers.delete(`${at}/${item}`)
      },
      setProcessingTimer: (after) => {
        const due = closedAt + Number(String(after).split(" ")[0])
        processing.add(`${due}/${item}`)
        return due as never
      },
      cancelProcessingTimer: (at) => {
        processing.delete(`${at}/${item}`)
      },
      emit: (output, value) => {
        made.push({ epoch: i + 1, port: `side ${output}`, value, at: now })
      }
    })
    const out = (values: Iterable<string> | undefined, at: number | null) => {
      for (const value of values ?? []) made.push({ epoch: i + 1, port: "out", value, at })
    }
    for (const event of events) (timed && event.at < Math.max(event.own, passed) ? late : waiting).push(event)
    passed = Math.max(passed, told.watermarks[i]!)
    const due = waiting
      .filter((event) => !timed || event.at < passed)
      .sort((a, b) => (timed ? a.at - b.at : 0) || a.partition - b.partition || a.offset - b.offset || a.row - b.row)
    waiting = waiting.filter((event) => timed && event.at >= passed)
    for (;;) {
      const [event, timer] = [due[0], parse(timers)[0]]
      if (timer !== undefined && timer[0] < (event?.at ?? passed)) {
        timers.delete(timer.join("/"))
        out(onTimer(timer[0], contextOf(timer[1], timer[0])), timer[0])
      } else if (event !== undefined) {
        due.shift()
        out(onEvent(event.value, contextOf(event.value.item, timed ? event.at : null)), timed ? event.at : null)
      } else break
    }
    for (const [at, item] of parse(processing).filter(([at]) => at <= closedAt)) {
      processing.delete(`${at}/${item}`)
      const now = timed ? Math.max(passed, -62_135_596_800_000) : null
      out(onProcessingTimer(at, contextOf(item, now)), now)
    }
  })
  const items = [...parse(timers), ...parse(processing)].map(([, item]) => item)
  return { made, late, keys: new Set([...states.keys(), ...items]).size, waiting: waiting.length }
}

/** Rows by port; those of one key keep their order: a key's rows lie in one batch. */
const byKey = (rows: ReadonlyArray<Made>) => {
  const groups: Record<string, Array<Made>> = {}
  for (const { epoch, port, value, at } of rows) {
    const item = /(?:sale|timer) (\d+)/.exec(String(value))?.[1]
    const group = `${epoch} ${port} ${item}`
    groups[group] ??= []
    groups[group].push({ epoch, port, value, at })
  }
  return groups
}

const sale = (price: number, at: number, place: Partial<Arrival<Sale>> = {}): Arrival<Sale> => ({
  value: { item: 1, price },
  origin: "sales",
  partition: 0,
  offset: at,
  row: 0,
  at,
  own: Number.NEGATIVE_INFINITY,
  input: 0,
  ...place
})
const texts = (run: Run) => run.from("out").map(({ value }) => value)
const echo: Partial<SpecOf<"process">> = {
  onEvent: ((event: Sale, { eventTime }: TillContext) => [`${event.price}@${eventTime}`]) as never,
  onTimer: null,
  onProcessingTimer: null
}

describe("a user's own operator", () => {
  test.each([
    [true, 1_000],
    [true, 3],
    [true, 0],
    [false, 1_000],
    [false, 0]
  ])(
    "gives what the rule gives, one event and timer after the other, however it is cut, interleaved and restarted (timed: %s, %s entries not packed)",
    (timed, stateEntriesMax) => {
      let [late, timers, restarts] = [0, 0, 0]
      FastCheck.assert(
        FastCheck.property(story, (told) => {
          const run = tell(told, () => make(timed, {}, { stateEntriesMax }), true, timed)
          const expected = oracle(told, timed)
          const { keys, waiting } = run.operator.counts!()
          expect({ keys, waiting }).toEqual({ keys: expected.keys, waiting: timed ? expected.waiting : 0 })
          const rows = run.given.filter(({ port }) => port !== "late")
          expect(byKey(rows)).toEqual(byKey(expected.made))
          expect(
            run
              .from("late")
              .map(({ at, offset, partition, row }) => `${partition}/${offset}/${row}@${at}`)
              .sort()
          ).toEqual(expected.late.map(({ at, offset, partition, row }) => `${partition}/${offset}/${row}@${at}`).sort())
          for (const { own, at } of rows) expect(timed ? own! <= at! : own === null && at === null).toBe(true)
          late += expected.late.length
          timers += rows.filter(({ value }) => String(value).startsWith("timer")).length
          restarts += told.restarts.filter(Boolean).length
        }),
        { numRuns: 150 }
      )
      expect(late > 100).toBe(timed)
      expect(timers > 500).toBe(timed)
      expect(restarts).toBeGreaterThan(200)
    }
  )

  test("gives its rows the same places whatever the order of arrival", () => {
    FastCheck.assert(
      FastCheck.property(story, (told) => {
        const [plain, shuffled] = [tell(told, () => make(), false), tell(told, () => make(), true)]
        const rows = (run: Run) => byPlace(run.given.filter(({ port }) => port !== "late"))
        expect(rows(shuffled)).toEqual(rows(plain))
      }),
      { numRuns: 50 }
    )
  })

  test("hands in at a final barrier what waits, and sets aside from then on what is earlier", () => {
    const run = new Run(() => make(true, { ...echo, onTimer: ((at: number) => [`timer ${at}`]) as never }))
    run.give([sale(1, 10), sale(2, 30), sale(3, 20)])
    run.barrier({ watermark: 15 })
    expect(texts(run)).toEqual(["1@10"])
    run.barrier({ watermark: 15, final: true })
    expect(texts(run)).toEqual(["1@10", "3@20", "2@30"])
    run.restart()
    run.barrier({ watermark: 15, final: true })
    run.give([sale(4, 29, { offset: 90 }), sale(5, 30, { offset: 91 }), sale(6, 31, { offset: 92 })])
    run.barrier({ watermark: 40 })
    expect(texts(run)).toEqual(["1@10", "3@20", "2@30", "6@31"])
    expect(run.from("late").map(({ at }) => at)).toEqual([29, 30])
  })

  test("fires at a final barrier the timers before the last event that waits, and keeps the later ones", () => {
    const timerAt = (price: number) => price * 10
    const run = new Run(() =>
      make(true, {
        ...echo,
        onEvent: ((event: Sale, { setTimer }: TillContext) => setTimer(timerAt(event.price))) as never,
        onTimer: ((at: number) => [`timer ${at}`]) as never
      })
    )
    run.give([sale(2, 10), sale(4, 30)])
    run.barrier({ watermark: 5, final: true })
    expect(texts(run)).toEqual(["timer 20"])
    run.restart()
    run.barrier({ watermark: 41 })
    expect(texts(run)).toEqual(["timer 20", "timer 40"])
  })

  test("ends although a timer sets itself again, where all partitions have finished", () => {
    const again = {
      ...echo,
      onEvent: ((_: Sale, { eventTime, setTimer }: TillContext) => setTimer(eventTime! + 1)) as never,
      onTimer: ((at: number, { setTimer }: TillContext) => {
        setTimer(at + 10)
        return [at]
      }) as never
    }
    const run = new Run(() => make(true, again))
    run.give([sale(1, 10)])
    run.barrier({ watermark: eventTimeMax })
    run.restart()
    run.barrier({ watermark: eventTimeMax })
    expect(texts(run)).toEqual([11, 21])
  })

  test("takes untimed events in the order of places, also where batches of one partition overlap, as those of a merge do", () => {
    const run = new Run(() => make(false, { ...echo, onEvent: (({ price }: Sale) => [price]) as never }), false)
    const at = (price: number, place: Partial<Arrival<Sale>>) => sale(price, 0, { offset: 0, ...place })
    run.give([at(7, { offset: 3, row: 1 }), at(8, { offset: 4 })])
    run.give([at(5, { offset: 2 }), at(6, { offset: 3, row: 0 }), at(9, { offset: 5 })])
    run.give([at(3, { offset: 9, origin: "returns" }), at(2, { offset: 1, row: 3 }), at(1, { offset: 1, row: 2 })])
    run.give([at(4, { partition: 1 })])
    expect(run.operator.counts!().waiting).toBe(9)
    run.barrier()
    expect(texts(run)).toEqual([3, 1, 2, 5, 6, 7, 8, 9, 4])
    expect(run.operator.counts!().waiting).toBe(0)
  })

  test("keeps events that are instances of a class of the job, and refuses those of others at once", () => {
    class Order extends Schema.Class<Order>("Order")({ item: Schema.Number, price: Schema.Number }) {
      get twice() {
        return this.price * 2
      }
    }
    const twice = { ...echo, onEvent: ((order: Order) => [order.twice]) as never }
    const run = new Run(() => make(true, twice, { prototypes: [Order.prototype] }))
    run.give([sale(0, 10, { value: new Order({ item: 1, price: 7 }) })])
    run.barrier({ watermark: 5 })
    run.restart()
    run.barrier({ watermark: 11 })
    expect(texts(run)).toEqual([14])
    const other = new Run(() => make(true, twice))
    expect(() => other.give([sale(0, 10, { value: new Order({ item: 1, price: 7 }) })])).toThrow(
      "a Order cannot be kept: make it a plain object with Flow.map"
    )
  })

  test.each<[string, Partial<SpecOf<"process">>, string, boolean]>([
    ["throws", { onEvent: (() => JSON.parse("{")) as never }, "at sales, partition 0, offset 10", true],
    [
      "sets a timer without event time",
      { onEvent: ((_: Sale, { setTimer }: TillContext) => setTimer(1)) as never },
      "a timer needs event time",
      false
    ],
    ["sets a timer without onTimer", { onTimer: null }, "there is no onTimer", true],
    [
      "sets a timer for no instant",
      { onEvent: ((_: Sale, { setTimer }: TillContext) => setTimer(0.5)) as never },
      "it is no instant in whole milliseconds",
      true
    ],
    [
      "sets from a timer one that is not later",
      {
        onEvent: ((_: Sale, { setTimer }: TillContext) => setTimer(11)) as never,
        onTimer: ((at: number, { setTimer }: TillContext) => setTimer(at)) as never
      },
      "a timer of 11 set a timer for 11: it must be later",
      true
    ],
    [
      "gives a row to an output that is not declared",
      { onEvent: ((_: Sale, { emit }: TillContext) => emit("alarms" as never, "" as never)) as never },
      "there is no output 'alarms'",
      true
    ]
  ])("fails where a function %s", (_, over, message, timed) => {
    const run = new Run(() => make(timed, over), timed)
    run.give([sale(1, 10)])
    const end = () => run.barrier({ watermark: 100 })
    expect(end).toThrow(expect.objectContaining({ message: expect.stringContaining(message), _tag: "StepFailed" }))
  })

  test.each([1_000, 0])(
    "says from when on it wants a barrier for a timer of processing time, also after a restart (%s entries not packed)",
    (stateEntriesMax) => {
      const over: Partial<SpecOf<"process">> = {
        onEvent: ((_: Sale, { setProcessingTimer }: TillContext) => {
          setProcessingTimer("3 seconds")
          setProcessingTimer("5 seconds")
        }) as never,
        onProcessingTimer: ((at: number) => [at]) as never
      }
      const run = new Run(() => make(true, over, { stateEntriesMax }))
      const due: Array<number> = []
      const ended = (closedAt: number) => {
        run.barrier({ watermark: 100, closedAt })
        due.push(run.operator.dueAt!())
        run.restart()
        due.push(run.operator.dueAt!())
      }
      run.give([sale(1, 10)])
      for (const closedAt of [1_000, 4_000, 7_000]) ended(closedAt)
      expect(due).toEqual([4_000, 4_000, 6_000, 6_000, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY])
      expect(texts(run)).toEqual([4_000, 6_000])
    }
  )

  test("refuses the use of a context after its call", () => {
    let kept: TillContext | null = null
    const run = new Run(() =>
      make(true, {
        ...echo,
        onEvent: ((_: Sale, context: TillContext) => {
          kept = context
        }) as never
      })
    )
    run.give([sale(1, 10)])
    run.barrier({ watermark: 100 })
    expect(() => kept!.forget()).toThrow("after the call")
  })

  test("fails at its bounds", () => {
    const waiting = new Run(() => make(true, echo, { waitingEventsMax: 2 }))
    expect(() => waiting.give([sale(1, 10), sale(1, 11), sale(1, 12)])).toThrow(StateLimitExceeded)
    const keys = new Run(() => make(true, {}, { stateKeysMax: 1, stateEntriesMax: 0 }))
    keys.give([sale(1, 10), sale(1, 11, { value: { item: 2, price: 1 } })])
    expect(() => keys.barrier({ watermark: 100 })).toThrow(StateLimitExceeded)
    const timers = new Run(() =>
      make(true, {
        onEvent: ((_: Sale, { setTimer }: TillContext) => {
          for (let at = 0; at <= 1_000; at++) setTimer(1_000 + at)
        }) as never
      })
    )
    timers.give([sale(1, 10)])
    expect(() => timers.barrier({ watermark: 100 })).toThrow(StateLimitExceeded)
  })
})
