/** A button that opens a list of commands: arrows, Home and End choose, Enter runs, Escape closes. */
import { element } from "./dom.js"

let count = 0

/** `items()` is asked whenever it opens: `{label, run, off?}`. */
export const make = (label, items) => {
  const id = `menu-${++count}`
  const button = element(
    "button",
    {
      type: "button",
      class: "menu-button",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-controls": id,
      "aria-label": label
    },
    "⋯"
  )
  const list = element("div", { id, role: "menu", "aria-label": label, class: "menu" })
  list.hidden = true
  const root = element("div", { class: "menu-root" }, button, list)

  const close = () => {
    list.hidden = true
    button.setAttribute("aria-expanded", "false")
  }
  const open = () => {
    list.replaceChildren(
      ...items().map(({ label, off = false, run }) => {
        const item = element(
          "button",
          { type: "button", role: "menuitem", tabindex: "-1", "aria-disabled": off ? "true" : null },
          label
        )
        item.addEventListener("click", () => {
          if (off) return
          close()
          button.focus()
          run()
        })
        return item
      })
    )
    list.hidden = false
    button.setAttribute("aria-expanded", "true")
    list.children[0]?.focus()
  }
  const step = (by) => {
    const at = [...list.children].indexOf(document.activeElement)
    list.children[(at + by + list.children.length) % list.children.length]?.focus()
  }
  button.addEventListener("click", () => (list.hidden ? open() : close()))
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" || !list.hidden) return
    event.preventDefault()
    event.stopPropagation()
    open()
  })
  root.addEventListener("keydown", (event) => {
    const keys = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      Home: () => list.children[0]?.focus(),
      End: () => list.lastElementChild?.focus(),
      Escape: () => {
        close()
        button.focus()
      }
    }
    if (list.hidden || !(event.key in keys)) return
    event.preventDefault()
    keys[event.key]()
  })
  root.addEventListener("focusout", (event) => {
    if (!root.contains(event.relatedTarget)) close()
  })
  return { root, focus: () => button.focus() }
}
