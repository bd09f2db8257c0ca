/** The API to read: one plain page made from its OpenAPI description. Loads nothing but the page's style sheet. */
import type { OpenApi } from "@effect/platform"

type Specification = OpenApi.OpenAPISpec
type Operation = OpenApi.OpenAPISpecOperation

/** Every route with its parameters, body and answers, and every Schema that they name. */
export const toHtml = (description: Specification): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(description.info.title)} API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page/page.css">
</head>
<body class="docs">
<header><h1>${escape(description.info.title)} API</h1><nav><a href="/">The page</a> <a href="/openapi.json">OpenAPI</a></nav></header>
<main>
<p>${escape(description.info.description ?? "")}</p>
${Object.entries(description.paths).flatMap(routesOf).join("\n")}
<h2 id="schemas">Schemas</h2>
${Object.entries(description.components.schemas)
  .map(
    ([name, schema]) =>
      `<details><summary>${escape(name)}</summary><pre id="${escape(name)}">${linked(JSON.stringify(schema, null, 2))}</pre></details>`
  )
  .join("\n")}
</main>
</body>
</html>
`

const routesOf = ([path, item]: [string, OpenApi.OpenAPISpecPathItem]): ReadonlyArray<string> =>
  (["get", "put", "post"] as const).flatMap((method) => {
    const operation = item[method]
    return operation === undefined ? [] : [routeOf(method, path, operation)]
  })

const routeOf = (method: string, path: string, operation: Operation): string =>
  `<section><h3><code>${method.toUpperCase()} ${escape(path)}</code></h3><p>${escape(operation.description ?? "")}</p>${parametersOf(operation)}${bodyOf(operation)}<dl>${answersOf(operation)}</dl></section>`

/** What the route answers with; its errors have one form and are only counted up. */
const answersOf = (operation: Operation): string => {
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => ({
    status,
    contents: Object.entries(answer.content ?? {})
  }))
  const isError = (answer: (typeof answers)[number]) => answer.contents.every(([, { schema }]) => namesError(schema))
  const errors = answers.filter(isError).map(({ status }) => status)
  return `${answers
    .filter((answer) => !isError(answer))
    .map(
      ({ status, contents }) =>
        `<dt>${escape(status)}</dt><dd>${contents
          .map(([type, { schema }]) => `<code>${escape(type)}</code> ${schemaOf(schema)}`)
          .join(" ")}</dd>`
    )
    .join("")}${errors.length === 0 ? "" : `<dt>errors</dt><dd>${errors.join(", ")}: <a href="#Error">Error</a></dd>`}`
}

const namesError = (schema: unknown): boolean =>
  typeof schema === "object" && schema !== null && "$ref" in schema && schema.$ref === "#/components/schemas/Error"

const parametersOf = (operation: Operation): string => {
  const parameters = operation.parameters ?? []
  if (parameters.length === 0) return ""
  const rows = parameters.map(
    (parameter) =>
      `<tr><td><code>${escape(parameter.name)}</code></td><td>${escape(parameter.in)}${parameter.required ? ", required" : ""}</td><td>${schemaOf(parameter.schema)}</td></tr>`
  )
  return `<table><thead><tr><th>Parameter</th><th>In</th><th>Schema</th></tr></thead><tbody>${rows.join("")}</tbody></table>`
}

const bodyOf = (operation: Operation): string =>
  Object.entries(operation.requestBody?.content ?? {})
    .map(([type, content]) => `<p>Body: <code>${escape(type)}</code> ${schemaOf(content.schema)}</p>`)
    .join("")

const schemaOf = (schema: unknown): string => `<code>${linked(JSON.stringify(schema))}</code>`

/** Text with a link wherever it names a Schema. */
const linked = (json: string): string =>
  escape(json).replace(
    /#\/components\/schemas\/([A-Za-z0-9_]+)/g,
    (_, name: string) => `<a href="#${name}">${name}</a>`
  )

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
