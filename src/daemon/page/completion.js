/**
 * Completions at the caret of a text area: a list box beside the caret, led by the keyboard while the focus stays in
 * the text. Arrows choose, Tab and Enter take, Escape closes; without a list these keys are the text's own.
 */
import { byId, element, setText } from "./dom.js"
import { complete } from "./sql-words.js"

/** Watches the text area. `source()` gives what `complete` completes from; `changed()` is called after an insertion. */
export const attach = (area, { source, changed }) => {
  const list = byId("completions")
  let open = null
  let chosen = 0

  const close = () => {
    open = null
    list.hidden = true
    area.removeAttribute("aria-activedescendant")
  }
  const choose = (at) => {
    chosen = (at + open.options.length) % open.options.length
    for (const [i, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(i === chosen))
    list.children[chosen].scrollIntoView({ block: "nearest" })
    area.setAttribute("aria-activedescendant", `completion-${chosen}`)
  }
  const take = (at) => {
    const { end, start } = open
    const { insert } = open.options[at]
    close()
    area.focus()
    area.setSelectionRange(start, end)
    insertText(area, insert)
    changed()
  }
  const show = (asked) => {
    const hasSelection = area.selectionStart !== area.selectionEnd
    open = hasSelection ? null : complete(area.value, area.selectionEnd, source(), asked)
    if (open === null) return close()
    list.replaceChildren(
      ...open.options.map(({ detail, kind, label }, i) => {
        const option = element(
          "div",
          { id: `completion-${i}`, role: "option", "data-kind": kind, "aria-selected": "false" },
          element("span", { class: "code" }, label),
          element("small", {}, detail)
        )
        // The focus stays in the text: a press must not take it.
        option.addEventListener("mousedown", (event) => event.preventDefault())
        option.addEventListener("click", () => take(i))
        return option
      })
    )
    list.hidden = false
    place(list, area, open.start)
    choose(0)
    setText(byId("announcement"), `${open.options.length} completions`)
  }
  const keys = {
    ArrowDown: () => choose(chosen + 1),
    ArrowUp: () => choose(chosen - 1),
    Tab: () => take(chosen),
    Enter: () => take(chosen),
    Escape: close
  }
  area.addEventListener("keydown", (event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault()
      show(true)
    } else if (open !== null && isPlain && !event.shiftKey && event.key in keys) {
      event.preventDefault()
      keys[event.key]()
    }
  })
  area.addEventListener("input", (event) =>
    event.inputType?.startsWith("delete") && open === null ? null : show(false)
  )
  area.addEventListener("blur", close)
  area.addEventListener("click", close)
  area.addEventListener("scroll", () => open !== null && place(list, area, open.start))
  area.addEventListener("keyup", ({ key }) => {
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(key)) close()
  })
  return { close }
}

/** Puts a text where the selection is, so that a person can take it back. */
export const insertText = (area, text) => {
  // The only way that keeps the browser's own undo.
  if (!document.execCommand("insertText", false, text))
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end")
}

/** Below the caret: of a text that does not wrap, line and column say where that is. */
const place = (list, area, at) => {
  const style = getComputedStyle(area)
  const lines = area.value.slice(0, at).split("\n")
  const left = Number.parseFloat(style.paddingLeft) + widthOf(lines.at(-1), style) - area.scrollLeft
  const top = Number.parseFloat(style.paddingTop) + lines.length * Number.parseFloat(style.lineHeight) - area.scrollTop
  const room = area.parentElement.clientWidth - list.offsetWidth
  list.style.left = `${Math.max(0, Math.min(left, room))}px`
  list.style.top = `${Math.min(top, area.offsetHeight) + 4}px`
}

const context = document.createElement("canvas").getContext("2d")
const widthOf = (text, style) => {
  context.font = `${style.fontSize} ${style.fontFamily}`
  return context.measureText(text).width
}
