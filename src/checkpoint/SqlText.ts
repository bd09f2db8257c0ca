/** Statements as text with values between: each value becomes the next parameter, as the dialect spells it. */
import type { Dialect, SqlValue, Statement } from "../flow/Tables.ts"

export type Say = (text: TemplateStringsArray, ...values: ReadonlyArray<SqlValue>) => Statement

/** Names of tables and columns stand in the text as they are: it is never a person's. */
export const saying =
  (dialect: Dialect): Say =>
  (text, ...values) => ({
    sql: text.reduce((sql, part, n) => `${sql}${dialect.parameter(n)}${part}`),
    parameters: values
  })

/** The statement, which is taken back with its transaction unless it changes exactly one row. */
export const one = (statement: Statement): Statement => ({ ...statement, rowsExpected: 1 })
