/** How a schema registry is reached. */
import { Either, Redacted } from "effect"
import { InvalidConfiguration } from "../../model/Errors.ts"

export interface RegistryConfig {
  /** `http://host:port` or `https://…`, with a path if the registry has one. A user and password in it are taken out of it. */
  readonly url: Redacted.Redacted
  /** Sent with each request, as HTTP's basic authentication. Absent: none. */
  readonly user?: { readonly username: string; readonly password: Redacted.Redacted }
}

export interface ResolvedConfig {
  /** Without user and password, and without a slash at its end. */
  readonly url: string
  readonly user: { readonly username: string; readonly password: Redacted.Redacted } | null
}

/** Fails where the address is none. */
export const resolve = (config: RegistryConfig): Either.Either<ResolvedConfig, InvalidConfiguration> => {
  let url: URL
  try {
    url = new URL(Redacted.value(config.url))
  } catch {
    return Either.left(invalid)
  }
  if (!/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") return Either.left(invalid)
  const own =
    url.username === ""
      ? null
      : { username: decodeURIComponent(url.username), password: Redacted.make(decodeURIComponent(url.password)) }
  url.username = ""
  url.password = ""
  return Either.right({ url: url.href.replace(/\/+$/, ""), user: config.user ?? own })
}

// Private

const invalid = new InvalidConfiguration({
  name: "SCHEMA_REGISTRY_URL",
  message: "SCHEMA_REGISTRY_URL is no address of a schema registry",
  hint: "It is http://host:port or https://host:port, such as http://localhost:8081."
})
