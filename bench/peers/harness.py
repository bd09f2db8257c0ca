"""Runs a program of the peers' harness with Weir as one more peer: `harness.py run.py weir 200000`, `harness.py latency.py weir 500 45`."""
import os, runpy, sys
from pathlib import Path

import psycopg2

env = os.environ
harness = Path(env["PEERS_FOLDER"]) / "harness"
sys.path.insert(0, str(harness))
import peers

HERE = Path(__file__).resolve().parent


def weir(trigger, early):
    """The job as a person runs it, in a folder and with a topic of dead letters of its own."""
    return (["sh", "-c", f"""cd '{HERE}' && WEIR_DATA="$PEERS_STATE" KAFKA_BROKERS="$PEERS_KAFKA" exec node ../../bin/weir.mjs run orders \\
        --set topic="$PEERS_TOPIC" --set letters="$PEERS_RUN.invalid" --set trigger={trigger} --set early={early}"""], {})


# The same table with Weir's exact types: it refuses to write decimals into doubles.
if sys.argv[2].startswith("weir"):
    peers.TABLE = """drop table if exists agg_order; create table agg_order (region text not null, shopid integer not null, itemid integer not null,
window_start timestamptz not null, gross_income numeric(18, 2) not null, total_items bigint not null, total_orders bigint not null,
primary key (region, shopid, itemid, window_start))"""
peers.PEERS["weir"] = weir("10s", "false")          # a checkpoint every 10 s and closed windows only, as Flink
peers.PEERS["weir-1s"] = weir("1s", "true")         # a checkpoint and the open windows' rows every second, as kafka-streams and spark-1s

program, *arguments = sys.argv[1:]
if program == "latency.py" and arguments[0] == "weir":
    # It knows the engines' shortest triggers by their names, so Weir takes the place of one.
    arguments[0] = "flink"
    peers.PEERS["flink"] = weir("100ms", "true")
# A peer is a session of its own: it ends with this process all the same.
for peer, (command, extra) in peers.PEERS.items():
    peers.PEERS[peer] = (["setpriv", "--pdeathsig", "KILL", "--", *command], extra)

# Each run begins anew: without the checkpoints of the one before.
database = psycopg2.connect(peers.dsn)
database.autocommit = True
sql = database.cursor()
sql.execute("select string_agg(format('%I', tablename), ', ') from pg_tables where schemaname = 'public' and tablename like 'weir\\_%'")
tables = sql.fetchone()[0]
if tables:
    sql.execute(f"drop table {tables}")

sys.argv = [str(harness / program), *arguments]
runpy.run_path(sys.argv[0], run_name="__main__")
