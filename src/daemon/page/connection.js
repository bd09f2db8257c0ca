/** Speaks to the daemon: calls with its token, and the stream of events, reopened whenever it breaks. */

const tokenName = "weir token"

export const rememberToken = (token) => sessionStorage.setItem(tokenName, token)

const headers = () => {
  const token = sessionStorage.getItem(tokenName)
  return token === null ? {} : { authorization: `Bearer ${token}` }
}

/** An error's answer: `status`, and `hint` beside the message. */
export class Refused extends Error {
  constructor(status, error) {
    super(error.message)
    this.status = status
    this.hint = error.hint
  }
}

/** The JSON of a call; throws `Refused` with what the daemon said. */
export const call = async (path, { method = "GET", body } = {}) => {
  const response = await fetch(path, {
    method,
    headers: headers(),
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  if (response.ok) return response.json()
  throw await refusal(response)
}

const refusal = async (response) => {
  const unexplained = { message: `The daemon answered ${response.status}`, hint: "" }
  const answer = await response.json().catch(() => ({ error: unexplained }))
  return new Refused(response.status, answer.error ?? unexplained)
}

const pause = (millis) => new Promise((resume) => setTimeout(resume, millis))
/** A stream that says nothing for longer than two heartbeats is broken. */
const silenceMillisMax = 35_000

/**
 * Listens for good. `on.open()`, `on.event(name, data)`, `on.closed(error)`; after `closed` it waits for what that
 * returns, then tries again: at once at first, later every five seconds.
 */
export const listen = async (on) => {
  for (let attempt = 0; ; attempt++) {
    try {
      await readEvents(() => {
        attempt = 0
        on.open()
      }, on.event)
      await on.closed(null)
    } catch (error) {
      await on.closed(error)
    }
    await pause(Math.min(500 * 2 ** attempt, 5_000))
  }
}

const readEvents = async (open, event) => {
  const abort = new AbortController()
  let watch = setTimeout(() => abort.abort(), silenceMillisMax)
  try {
    const response = await fetch("/api/events", { headers: headers(), signal: abort.signal })
    if (!response.ok) throw await refusal(response)
    open()
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let text = ""
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(watch)
      watch = setTimeout(() => abort.abort(), silenceMillisMax)
      const parts = (text + value).split("\n\n")
      text = parts.pop()
      for (const part of parts) dispatch(part, event)
    }
  } finally {
    clearTimeout(watch)
  }
}

const dispatch = (part, event) => {
  let name = ""
  let data = ""
  for (const line of part.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7)
    if (line.startsWith("data: ")) data += line.slice(6)
  }
  if (name !== "" && data !== "") event(name, JSON.parse(data))
}
