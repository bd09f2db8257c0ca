import { Duration, Schema } from "effect"
import { Topic } from "../src/connectors/topic/index.ts"
import { Aggregate, Flow, type Instant, Job, Parameter, type RawEvent, Trigger } from "../src/index.ts"
import { Concern, keys, Passage } from "./plant/Messages.ts"
import { presence } from "./plant/Presence.ts"
import { dayOf, hourMillis, hourOf, plan, planned, totals } from "./plant/Production.ts"
import * as Tables from "./plant/Tables.ts"
import { type News, units } from "./plant/Units.ts"

/** Quality and output of a car plant, from the passages of its units and their defects. */
export default Job.make("plant", {
  parameters: {
    topic: Parameter.text("TFI", { meaning: "topic of passages and defects" }),
    endStation: Parameter.integer(40, { meaning: "station behind which a unit is finished" }),
    plan,
    timeToLive: Parameter.duration("0 seconds", {
      meaning: "how long after its last record a unit counts in unit_totals and fail_totals, in event time; 0: for good"
    })
  },
  trigger: Trigger.every("10 seconds"),
  starts: false,
  outputs: ({ endStation, plan, timeToLive, topic }) => {
    const records = Flow.from(Topic.source(topic))
    const { passed, rest } = records.pipe(Flow.branch({ passed: hasKey(keys.passage) }))
    const passages = passed.pipe(Flow.decode(Passage, { invalid: Topic.deadLetter(`${topic}.passages.invalid`) }))
    const concerns = rest.pipe(
      Flow.decodeRecord(
        { key: Schema.Literal(keys.concern), value: Concern },
        { invalid: Topic.deadLetter(`${topic}.invalid`) }
      ),
      Flow.map(({ value }) => value)
    )

    const finished = passages.pipe(
      Flow.filter(({ station }) => station === endStation),
      Flow.keyBy("unit"),
      Flow.distinct("finished")
    )
    const unitsPerZone = passages.pipe(
      Flow.keyBy("unit", "zone"),
      Flow.distinct("zones passed"),
      Flow.keyBy({ zoneId: ({ zone }) => zone }),
      Flow.aggregate("units per zone", { units: Aggregate.count })
    )
    const changes = passages.pipe(
      Flow.map(({ station, unit }): News => ({ unit, finished: station === endStation, defect: null })),
      Flow.merge(
        concerns.pipe(
          Flow.map(({ station, unit, zoneCharged }): News => {
            return { unit, finished: false, defect: { zone: zoneCharged, station } }
          })
        )
      ),
      Flow.keyBy("unit"),
      units
    )
    const counts = changes.pipe(
      Flow.keyBy(),
      Flow.aggregate("counts", {
        seen: Aggregate.sum(({ seen }) => seen),
        seenOk: Aggregate.sum(({ seenOk }) => seenOk),
        finished: Aggregate.sum(({ finished }) => finished),
        finishedOk: Aggregate.sum(({ finishedOk }) => finishedOk),
        nok: Aggregate.sum(({ nok }) => nok)
      })
    )

    const totalsForGood = [
      unitsPerZone.pipe(Flow.to(Tables.unitTotals)),
      concerns.pipe(
        Flow.keyBy("unit", "zoneCharged"),
        Flow.distinct("zones charged"),
        Flow.keyBy({ zoneChargedId: ({ zoneCharged }) => zoneCharged }),
        Flow.aggregate("fails per zone", { fails: Aggregate.count }),
        Flow.to(Tables.failTotals)
      )
    ]
    const totalsOf = (timeToLive: Duration.Duration) => {
      const present = passages.pipe(
        Flow.eventTime(({ at }) => at, happened),
        Flow.keyBy("unit", "zone"),
        Flow.process("units present", presence<Pick<Passage, "unit" | "zone">>(timeToLive))
      )
      const charged = concerns.pipe(
        Flow.eventTime(({ at }) => at, happened),
        Flow.keyBy("unit", "zoneCharged"),
        Flow.process("fails present", presence<Pick<Concern, "unit" | "zoneCharged">>(timeToLive))
      )
      return [
        present.pipe(
          Flow.keyBy({ zoneId: ({ zone }) => zone }),
          Flow.aggregate("units present per zone", { units: Aggregate.sum(({ units }) => units) }),
          Flow.filter(({ units }) => units > 0n),
          Flow.to(Tables.unitTotals)
        ),
        present.late.pipe(Flow.to(Topic.late(`${topic}.passages.late`))),
        charged.pipe(
          Flow.keyBy({ zoneChargedId: ({ zoneCharged }) => zoneCharged }),
          Flow.aggregate("fails present per zone", { fails: Aggregate.sum(({ units }) => units) }),
          Flow.filter(({ fails }) => fails > 0n),
          Flow.to(Tables.failTotals)
        ),
        charged.late.pipe(Flow.to(Topic.late(`${topic}.late`)))
      ]
    }

    const passageRows = passages.pipe(
      Flow.map(({ at, station, unit, zone }) => ({ ...seenOf(unit, at, station), zoneId: zone }))
    )
    const concernRows = concerns.pipe(
      Flow.map(({ at, concern, station, unit, zoneCharged }) => {
        return { ...seenOf(unit, at, station), concernId: concern, zoneChargedId: zoneCharged }
      })
    )

    return [
      passageRows.pipe(Flow.to(Tables.ucp)),
      passageRows.pipe(Flow.map(ofItsDay), Flow.to(Tables.ucpFiles)),
      concernRows.pipe(Flow.to(Tables.uc)),
      concernRows.pipe(Flow.map(ofItsDay), Flow.to(Tables.ucFiles)),

      unitsPerZone.pipe(Flow.to(Tables.unitsPerZone)),
      ...(Duration.isZero(timeToLive) ? totalsForGood : totalsOf(timeToLive)),

      counts.pipe(
        Flow.map(({ finished }) => ({ total: finished })),
        Flow.to(Tables.total)
      ),
      counts.pipe(
        Flow.map(({ nok }) => ({ nok })),
        Flow.to(Tables.nok)
      ),
      counts.pipe(
        Flow.map(({ finished, finishedOk, seen, seenOk }) => {
          return {
            finished,
            finishedOk,
            share: shareOf(finishedOk, finished),
            seen,
            seenOk,
            shareSeen: shareOf(seenOk, seen)
          }
        }),
        Flow.to(Tables.throughput)
      ),
      changes.zones.pipe(
        Flow.keyBy({ zoneChargedId: ({ place }) => place }),
        Flow.aggregate("units not OK per zone", { units: Aggregate.sum(({ units }) => units) }),
        Flow.filter(({ units }) => units > 0),
        Flow.to(Tables.nokPerZone)
      ),
      changes.stations.pipe(
        Flow.keyBy({ collectionPointId: ({ place }) => place }),
        Flow.aggregate("units not OK per station", { units: Aggregate.sum(({ units }) => units) }),
        Flow.filter(({ units }) => units > 0),
        Flow.to(Tables.nokPerStation)
      ),

      finished.pipe(
        Flow.keyBy({ hour: ({ at }) => hourOf(at) }),
        Flow.aggregate("finished per hour", { units: Aggregate.count }),
        Flow.to(Tables.unitsPerHour)
      ),
      finished.pipe(
        Flow.keyBy({ day: ({ at }) => dayOf(at) }),
        Flow.aggregate("finished per day", { units: Aggregate.count }),
        Flow.to(Tables.daily)
      ),
      finished.pipe(Flow.keyBy({ day: ({ at }) => dayOf(at) }), totals, planned(plan), Flow.to(Tables.runningTotal)),

      concerns.pipe(
        Flow.keyBy("unit", { hour: ({ at }) => hourOf(at) }),
        Flow.distinct("hours of defects"),
        Flow.keyBy({ hour: ({ at }) => hourOf(at) }),
        Flow.aggregate("units with defects per hour", { units: Aggregate.count }),
        Flow.to(Tables.concernsPerHour)
      ),
      concerns.pipe(
        Flow.keyBy({
          windowStart: ({ at }) => hourOf(at),
          windowEnd: ({ at }) => hourOf(at + hourMillis),
          collectionPointId: ({ station }) => station
        }),
        Flow.aggregate("defects per hour and station", { failCount: Aggregate.count }),
        Flow.to(Tables.defectsPerHourStation)
      )
    ]
  }
})

/** What was sent in the same minute may come in any order. */
const happened = { maxOutOfOrderness: "1 minute" } as const

const seenOf = (unit: number, at: Instant, station: number) => ({
  qlsUnitId: unit,
  unitCollectionPtTimestamp: at,
  collectionPointId: station
})

/** With the folder of its day (UTC). */
const ofItsDay = <A extends { readonly unitCollectionPtTimestamp: Instant }>(row: A) => {
  const date = new Date(row.unitCollectionPtTimestamp)
  return { ...row, year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() }
}

/** `null` of nothing. */
const shareOf = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)

const text = new TextDecoder()
const hasKey =
  (key: string) =>
  (record: RawEvent): boolean =>
    record.key !== null && text.decode(record.key) === key
