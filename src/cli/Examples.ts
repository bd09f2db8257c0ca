/** How each command is called, for its help text. */
export const examples: Readonly<Record<string, ReadonlyArray<string>>> = {
  start: ["weir start", "weir start orders --demo --port 7171"],
  run: [
    "weir run orders --available-now",
    "weir run orders --for 120s --set window='30 seconds'",
    "weir run orders --from-savepoint before-the-change"
  ],
  jobs: ["weir jobs", "weir jobs --format json"],
  health: ["weir health", "weir health --data /var/lib/weir"],
  explain: ["weir explain orders", "weir explain orders --set window=5s"],
  progress: ["weir progress orders --last 20"],
  pause: ["weir pause orders"],
  resume: ["weir resume orders"],
  stop: ["weir stop orders"],
  restart: ["weir restart orders"],
  savepoint: ["weir savepoint orders", "weir savepoint orders before-the-change"],
  savepoints: ["weir savepoints orders --format json", "weir savepoints orders --remove before-the-change"],
  check: ["weir check orders", "weir check orders --from-savepoint before-the-change"],
  reset: ["weir reset orders", "weir reset orders --tables --yes"],
  "dead-letters": [
    "weir dead-letters orders",
    "weir dead-letters orders --replay",
    "weir dead-letters orders --late --last 5"
  ],
  topics: ["weir topics"],
  "topics create": ["weir topics create orders --partitions 8 --retention '7 days'"],
  produce: ["weir produce orders orders.jsonl --key shopid", "cat orders.jsonl | weir produce orders"],
  tail: [
    "weir tail orders --count 3",
    "weir tail orders --offset -1 --follow",
    "weir tail orders --where region=AMER --format json"
  ],
  generate: ["weir generate orders --count 1000 --rate max", "weir generate orders --rate 500 --set late=0.01"],
  query: [
    "weir query",
    "weir query 'select * from shop_item_income limit 10'",
    "weir query --format csv 'select count(*) from shop_item_income'"
  ],
  clean: ["weir clean invoices", "weir clean invoices --older-than 6h"],
  schema: ["weir schema orders", "weir schema ./orders.jsonl --format code", "weir schema shop_item_income"],
  simulate: [
    "weir simulate orders",
    "weir simulate orders --seed 42 --seeds 1",
    "weir simulate orders --faults 'kill,reply lost' --input orders=orders.jsonl"
  ],
  init: ["weir init my-project"]
}
