/** What this daemon can do, by its own description: a button for what it cannot is not shown. */

let described = null

const description = () => {
  described ??= fetch("/openapi.json")
    .then((response) => response.json())
    .catch(() => {
      described = null
      return { paths: {} }
    })
  return described
}

/** Does it take `POST <path>`? The path as its description writes it, such as `/api/jobs/{job}/pause`. */
export const takesPost = async (path) => (await description()).paths?.[path]?.post !== undefined
export const takesGet = async (path) => (await description()).paths?.[path]?.get !== undefined
