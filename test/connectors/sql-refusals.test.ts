/** What a refusal of the database tells a person to do. */
import { describe, expect, it } from "vitest"
import * as PostgresFailure from "../../src/connectors/sql/PostgresFailure.ts"

const refusal = (reason: string) =>
  PostgresFailure.ofStatement({ kind: "statement", code: "23505", reason, sql: "insert into copies" } as never).hint

describe("A row that is there already", () => {
  it("is removed by `--tables` if it is a record that the job appended before", () => {
    expect(
      refusal(
        "Key (weir_job, weir_source, weir_partition, weir_offset, weir_row)=(copies, orders, 0, 1, 0) already exists."
      )
    ).toContain("`--tables`")
  })

  it("is a matter of the table if its key is another", () => {
    expect(refusal("Key (region)=(EU) already exists.")).toContain("Mend the table or its constraint")
  })
})
