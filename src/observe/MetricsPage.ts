/** The page of metrics: the table of `Metrics`, for a person. */
import * as Metrics from "./Metrics.ts"

/** The page as Markdown. */
export const page = (): string =>
  [
    "# Metrics",
    "",
    "Every metric of a Weir process: as Prometheus text at `/metrics`, and over OTLP if `OTEL_EXPORTER_OTLP_ENDPOINT` is",
    "set. Counters of a job go on over its restarts, and over those of the process: they are kept with its checkpoints.",
    "Counters of a node begin anew with each start of the job. A value that is not known yet is left out.",
    "",
    "| metric | kind | unit | labels | meaning |",
    "|---|---|---|---|---|",
    ...Metrics.table.map(
      ({ name, type, unit, labels, help }) =>
        `| \`${name}\` | ${type} | ${unit} | ${labels.map((label) => `\`${label}\``).join(", ") || "none"} | ${help} |`
    ),
    "",
    "Values of the labels: `job` is the name of a job; `node`, `source` and `sink` are ids of its drawing (`weir explain`);",
    `\`state\` is one of ${spans(Metrics.states)}; \`phase\` one of ${spans(Metrics.phases)}.`,
    ""
  ].join("\n")

const spans = (words: ReadonlyArray<string>): string => words.map((word) => `\`${word}\``).join(", ")
