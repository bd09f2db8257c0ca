/** A job's savepoints: what each keeps, to go on from it or to remove it; and what a start of the code would do. */
import { takesGet, takesPost } from "./capabilities.js"
import { call } from "./connection.js"
import { ask } from "./dialog.js"
import { byId, element, empty, table } from "./dom.js"
import { bytes, compact, count, dayAndTime } from "./format.js"
import { isRunning } from "./jobs.js"

const pathOf = (job, rest) => `/api/jobs/${encodeURIComponent(job)}${rest}`

/** Reads and draws them; `on.answer(sentence)` and `on.refused(error)` say what became of a button. */
export const refresh = async (status, on) => {
  if (!(await takesGet("/api/jobs/{job}/savepoints"))) return
  const savepoints = await call(pathOf(status.job, "/savepoints"))
  const rewinds = await takesPost("/api/jobs/{job}/rewind")
  const text = JSON.stringify([status.job, isRunning(status.state), savepoints])
  const root = byId("savepoints")
  byId("savepoints-section").hidden = savepoints.length === 0
  // Drawn anew only if it differs: a button keeps the focus.
  if (root.dataset.of === text) return
  root.dataset.of = text
  root.replaceChildren(draw(status, savepoints.toReversed(), { ...on, rewinds }))
}

const draw = ({ job, state }, savepoints, on) =>
  table(
    [
      { name: "Name" },
      { name: "Taken" },
      { name: "Epoch", number: true },
      { name: "State rows", number: true },
      { name: "State", number: true },
      { name: "", className: "actions" }
    ],
    savepoints.map(({ epoch, name, stateBytes, stateRows, takenAt }) => [
      name,
      dayAndTime(takenAt),
      count(epoch),
      compact(stateRows),
      bytes(stateBytes),
      element(
        "span",
        { class: "row end" },
        on.rewinds && !isRunning(state)
          ? button("Go on from here…", `Go on from savepoint ${name}`, () => rewind(job, name, on))
          : null,
        button("Remove…", `Remove savepoint ${name}`, () => remove(job, name, on))
      )
    ]),
    "Savepoints, the newest first"
  )

const button = (label, spoken, press) => {
  const made = element("button", { type: "button", class: "quiet small", "aria-label": spoken }, label)
  made.addEventListener("click", press)
  return made
}

const attempt = async (on, task) => {
  try {
    on.answer(await task())
  } catch (error) {
    on.refused(error)
  }
}

const rewind = async (job, savepoint, on) => {
  const said = await ask({
    title: `Go on from ${savepoint}?`,
    text: "What the job has done since is left behind: its next start reads again from there.",
    fields: [{ name: "tables", label: "Remove the rows of its tables first", type: "checkbox" }],
    confirm: "Go on from here",
    danger: true
  })
  if (said === null) return
  await attempt(on, async () => {
    const { remains } = await call(pathOf(job, "/rewind"), {
      method: "POST",
      body: { savepoint, tables: said.tables }
    })
    return remains.join(" ")
  })
}

const remove = async (job, savepoint, on) => {
  const said = await ask({
    title: `Remove the savepoint ${savepoint}?`,
    text: "What it keeps is removed with it.",
    confirm: "Remove",
    danger: true
  })
  if (said === null) return
  await attempt(on, async () => {
    await call(pathOf(job, `/savepoints/${encodeURIComponent(savepoint)}`), { method: "DELETE" })
    return `The savepoint ${savepoint} is removed.`
  })
}

/** What a start of the daemon's code would do with each part of the last checkpoint. */
export const check = async (job) => {
  const { epoch, parts, refusal } = await call(pathOf(job, "/check"))
  if (epoch === null) return [empty("There is no checkpoint: a start begins anew.")]
  const refused =
    refusal === null ? [] : [element("p", { class: "notice" }, refusal.message, element("small", {}, refusal.hint))]
  return [
    ...refused,
    table(
      [{ name: "Part" }, { name: "Name" }, { name: "Fate" }, { name: "What a start does", className: "prose" }],
      parts.map((of) => [of.part, of.id, of.refuses ? `${of.fate}: refused` : of.fate, of.says]),
      `What a start would do with the checkpoint of epoch ${epoch}`
    )
  ]
}
