/** The buttons of a job: which fit its state, what each asks first, and what the daemon answered. */
import { takesPost } from "./capabilities.js"
import { call } from "./connection.js"
import { ask } from "./dialog.js"
import { element, setAttribute } from "./dom.js"

const ended = (state) => ["stopped", "finished", "failed"].includes(state)
const runs = (state) => state === "running"
const lives = (state) => !ended(state) && state !== "stopping"

const verbs = [
  { verb: "start", label: "Start", fits: ended },
  { verb: "pause", label: "Pause", fits: runs },
  { verb: "resume", label: "Resume", fits: (state) => state === "paused" },
  { verb: "stop", label: "Stop", fits: (state) => !ended(state), enabled: lives },
  { verb: "restart", label: "Restart", fits: lives },
  {
    verb: "savepoint",
    label: "Savepoint…",
    fits: (state) => state !== "stopping",
    question: (job) => ({
      title: `Savepoint of ${job}`,
      text: "A named checkpoint that is kept until somebody removes it.",
      fields: [{ name: "name", label: "Name", hint: "Empty: the daemon chooses one." }],
      confirm: "Take savepoint"
    }),
    body: ({ name }) => (name === "" ? {} : { name })
  },
  {
    verb: "reset",
    label: "Reset…",
    fits: ended,
    danger: true,
    question: (job) => ({
      title: `Reset ${job}?`,
      text: "Its next start begins anew: offsets and state of all its steps are left behind. This cannot be taken back.",
      fields: [{ name: "tables", label: "Remove the rows of its tables too", type: "checkbox" }],
      confirm: "Reset",
      danger: true
    }),
    body: ({ tables }) => ({ tables })
  }
]

const known = new Map()
/** Asks the daemon once which verbs it has. */
const knownVerbs = async () => {
  if (known.size === 0) for (const { verb } of verbs) known.set(verb, await takesPost(`/api/jobs/{job}/${verb}`))
  return verbs.filter(({ verb }) => known.get(verb))
}

/**
 * Draws the buttons that fit. `on.answer(status | null, sentence)` says what the daemon did, `on.refused(error)` why it
 * did not.
 */
export const draw = async (root, { job, state }, on) => {
  const fitting = (await knownVerbs()).filter((of) => of.fits(state))
  const names = fitting.map((of) => of.verb).join(" ")
  if (root.dataset.of === `${job} ${names}`) {
    for (const button of root.children)
      setEnabled(
        button,
        fitting.find((of) => of.verb === button.dataset.verb),
        state
      )
    return
  }
  const focused = root.contains(document.activeElement)
  root.dataset.of = `${job} ${names}`
  root.replaceChildren(...fitting.map((of) => buttonOf(of, job, state, on)))
  // What had the focus is gone: the one in its place has it, not the top of the page.
  if (focused) root.firstElementChild?.focus()
}

// `aria-disabled`, since a button that is disabled loses the focus.
const setEnabled = (button, { enabled = () => true }, state) => {
  if (button.dataset.busy === undefined) setAttribute(button, "aria-disabled", enabled(state) ? null : "true")
}

const buttonOf = (of, job, state, on) => {
  const button = element(
    "button",
    { type: "button", "data-verb": of.verb, class: of.danger ? "quiet" : null },
    of.label
  )
  setEnabled(button, of, state)
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return
    const answer = of.question === undefined ? {} : await ask(of.question(job))
    if (answer === null) return
    button.dataset.busy = ""
    button.setAttribute("aria-disabled", "true")
    try {
      const body = of.body?.(answer) ?? {}
      const said = await call(`/api/jobs/${encodeURIComponent(job)}/${of.verb}`, { method: "POST", body })
      on.answer(said?.state === undefined ? null : said, sentenceOf(of, said))
    } catch (error) {
      on.refused(error)
    } finally {
      delete button.dataset.busy
      button.removeAttribute("aria-disabled")
    }
  })
  return button
}

const sentenceOf = ({ verb }, said) => {
  if (Array.isArray(said?.remains)) return said.remains.join(" ")
  if (verb === "savepoint") return `The savepoint ${said.name} is taken, of epoch ${said.savepoint.epoch}.`
  return ""
}
