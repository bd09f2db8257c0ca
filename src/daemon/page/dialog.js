/** Asks a person: a question with fields, answered by a button or taken back by Escape. */
import { element } from "./dom.js"

let count = 0

/**
 * `fields` are `{name, label, value?, type?, required?, hint?, options?}`. Answers their values by name, or
 * `null` if it was taken back. The focus returns to where it was.
 */
export const ask = ({ title, text = "", fields = [], confirm = "OK", danger = false }) =>
  new Promise((answered) => {
    const id = `dialog-${++count}`
    const inputs = fields.map(inputOf(id))
    const cancel = element("button", { type: "button" }, "Cancel")
    const form = element(
      "form",
      { method: "dialog" },
      element("h2", { id, class: "dialog-title" }, title),
      text === "" ? null : element("p", { id: `${id}-text` }, text),
      inputs.map(({ row }) => row),
      element(
        "div",
        { class: "row end" },
        cancel,
        element("button", { type: "submit", class: danger ? "danger" : "primary" }, confirm)
      )
    )
    const dialog = element(
      "dialog",
      { "aria-labelledby": id, "aria-describedby": text === "" ? null : `${id}-text` },
      form
    )
    let answer = null
    form.addEventListener("submit", () => {
      answer = Object.fromEntries(inputs.map(({ name, read }) => [name, read()]))
    })
    cancel.addEventListener("click", () => dialog.close())
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close())
    dialog.addEventListener("close", () => {
      dialog.remove()
      answered(answer)
    })
    document.body.append(dialog)
    dialog.showModal()
    if (inputs.length === 0) (danger ? cancel : form.querySelector("[type=submit]")).focus()
  })

const inputOf = (id) => (field, i) => {
  const inputId = `${id}-${i}`
  const isTick = field.type === "checkbox"
  const input =
    field.options === undefined
      ? element("input", {
          id: inputId,
          type: field.type ?? "text",
          required: field.required ?? false,
          maxlength: isTick ? null : 200,
          autocomplete: "off",
          "aria-describedby": field.hint === undefined ? null : `${inputId}-hint`
        })
      : element(
          "select",
          { id: inputId },
          field.options.map(({ label, value }) => element("option", { value }, label))
        )
  if (isTick) input.checked = field.value === true
  else input.value = field.value ?? field.options?.[0]?.value ?? ""
  const label = element("label", { for: inputId }, field.label)
  const hint = field.hint === undefined ? null : element("small", { id: `${inputId}-hint`, class: "muted" }, field.hint)
  return {
    name: field.name,
    read: () => (isTick ? input.checked : input.value.trim()),
    row: element("div", { class: isTick ? "tick" : "field" }, isTick ? [input, label] : [label, input], hint)
  }
}
