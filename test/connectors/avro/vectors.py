"""Writes avro.json: values, and their bytes as another implementation of Avro writes them.

    pip install fastavro==1.13.1 && python vectors.py > avro.json
"""
import io, json, struct
from datetime import date, datetime, timezone
from decimal import Decimal
import fastavro

def encoded(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return out.getvalue().hex()

def record(name, *fields):
    return {"type": "record", "name": name, "fields": list(fields)}

def field(name, type, **more):
    return {"name": name, "type": type, **more}

def money(precision=12, scale=2):
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}

order = record("Order", field("orderid", "long"), field("region", "string"), field("price", money()),
               field("count", "int"), field("orderedAt", {"type": "long", "logicalType": "timestamp-millis"}),
               field("note", ["null", "string"], default=None))
at = datetime(2018, 9, 21, 7, 20, 30, 123000, tzinfo=timezone.utc)
def an_order(i, price, note=None):
    return {"orderid": i, "region": "Grüße 🎈" if note else "TW", "price": Decimal(price), "count": 3, "orderedAt": at, "note": note}

vectors = []
def vector(name, schema, value):
    vectors.append({"name": name, "schema": schema, "bytes": encoded(schema, value)})

for i, price, note in [(1, "12.34", None), (9007199254740993, "-0.05", "x"), (-9223372036854775808, "9999999999.99", ""), (9223372036854775807, "-128.00", "é" * 200)]:
    vector(f"order {i}", order, an_order(i, price, note))
for value in [0, -1, 1, 63, -64, 64, -65, 2**31 - 1, -2**31, 2**48, -2**48, 2**49 - 1, -2**49, 2**53 + 1, -2**53 - 1, 2**62, 2**63 - 1, -2**63]:
    vector(f"long {value}", record("Long", field("value", "long")), {"value": value})
for value in ["0", "0.1", "-0.1", "127", "-128", "128", "-129", "140737488355327", "-140737488355328", "140737488355328", "99999999999999999999.999999", "-99999999999999999999.999999"]:
    vector(f"decimal {value}", record("Dec", field("value", money(26, 6))), {"value": Decimal(value)})
vector("fixed decimal", record("Fixed", field("value", {"type": "fixed", "name": "F", "size": 9, "logicalType": "decimal", "precision": 18, "scale": 3})), {"value": Decimal("-123456.789")})
for value in [0.0, -0.0, 1.5, 1e300, float("inf")]:
    vector(f"double {value}", record("Dbl", field("value", "double")), {"value": value})
vector("float 0.5", record("Flt", field("value", "float")), {"value": 0.5})
for unit in ["millis", "micros"]:
    vector(f"timestamp-{unit}", record("Ts", field("value", {"type": "long", "logicalType": f"timestamp-{unit}"})), {"value": at})
    vector(f"timestamp-{unit} before 1970", record("Ts", field("value", {"type": "long", "logicalType": f"timestamp-{unit}"})), {"value": datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=timezone.utc)})
vector("date", record("Day", field("value", {"type": "int", "logicalType": "date"})), {"value": date(2018, 9, 21)})
shape = record("Shape", field("kind", {"type": "enum", "name": "Kind", "symbols": ["ROUND", "SQUARE"]}),
               field("sizes", {"type": "array", "items": "long"}), field("names", {"type": "map", "values": "string"}),
               field("raw", "bytes"), field("open", "boolean"), field("inner", record("Inner", field("n", "int"))),
               field("either", ["null", "string", "long", "Inner"]))
for either in [None, "text", 5, {"n": 7}]:
    vector(f"shape with {either}", shape, {"kind": "SQUARE", "sizes": [1, -1, 2**40], "names": {"a": "b", "__proto__": "c"}, "raw": bytes([0, 255, 7]), "open": True, "inner": {"n": -3}, "either": either})
vector("empty shape", shape, {"kind": "ROUND", "sizes": [], "names": {}, "raw": b"", "open": False, "inner": {"n": 0}, "either": None})
print(json.dumps(vectors, indent=1, ensure_ascii=False))
