/** The address of a database server, and what may be shown of it. */
import { Effect } from "effect"
import { InvalidConfiguration } from "../../model/Errors.ts"

export interface ServerAddress {
  /** Server, database and user, without the password: equal for two that can share a transaction. */
  readonly identity: string
}

/** `protocols`: the names that the address may begin with, the first of which it is called by. */
export const parse = (
  url: string,
  protocols: ReadonlyArray<string>,
  portMissing: number
): Effect.Effect<ServerAddress, InvalidConfiguration> => {
  // What the platform says of an address that it cannot read quotes it, with its password.
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed === null || !protocols.includes(parsed.protocol.slice(0, -1)) || parsed.hostname === "")
    return Effect.fail(
      new InvalidConfiguration({
        name: "DATABASE_URL",
        message: `The address of the database cannot be read: it begins with none of ${protocols.map((one) => `${one}://`).join(", ")}, or has no host`,
        hint: `Write it as ${protocols[0]}://user:password@host:${portMissing}/database; what is special in a password is escaped, such as %40 for @.`
      })
    )
  const user = parsed.username === "" ? "" : `${parsed.username}@`
  const identity = `${protocols[0]}://${user}${parsed.hostname}:${parsed.port || portMissing}${parsed.pathname}`
  return Effect.succeed({ identity })
}
