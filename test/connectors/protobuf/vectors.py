"""Writes protobuf.json: a compiled file and messages of it, as the makers of Protobuf write them.

    pip install protobuf==7.36.2 grpcio-tools && python vectors.py > protobuf.json
"""
import base64, json, pathlib, sys, tempfile
from grpc_tools import protoc
import grpc_tools

folder = pathlib.Path(tempfile.mkdtemp())
(folder / "money.proto").write_text('''
syntax = "proto3"; package shop;
message Money { int64 cents = 1; }
''')
(folder / "order.proto").write_text('''
syntax = "proto3"; package shop;
import "google/protobuf/timestamp.proto"; import "money.proto";
enum Kind { UNKNOWN = 0; ONLINE = 1; }
message Order {
  int64 order_id = 1; string region = 2; Money price = 3; uint32 count = 4;
  google.protobuf.Timestamp ordered_at = 5; optional string note = 6; Kind kind = 7;
  repeated sint64 sizes = 8; map<string, int32> tags = 9; bytes raw = 10; double rate = 11; uint64 big = 12;
  oneof either { string text = 13; int64 number = 14; }
  message Inner { bool open = 1; }
}
message Other { int32 n = 1; }
''')
include = str(pathlib.Path(grpc_tools.__file__).parent / "_proto")
assert protoc.main(["", f"-I{folder}", f"-I{include}", f"--python_out={folder}", f"--descriptor_set_out={folder}/set", "--include_imports", "money.proto", "order.proto"]) == 0
sys.path.insert(0, str(folder))
import order_pb2, money_pb2

def compiled(module):
    return base64.b64encode(module.DESCRIPTOR.serialized_pb).decode()

full = order_pb2.Order(order_id=9007199254740993, region="Grüße 🎈", price=money_pb2.Money(cents=-5), count=4294967295, note="", kind=1,
                       sizes=[1, -1, -2**63], tags={"a": -1, "__proto__": 2}, raw=bytes([0, 255]), rate=0.5, big=2**64 - 1, number=-7)
full.ordered_at.seconds, full.ordered_at.nanos = -1, 999_000_000
print(json.dumps({
    "money": compiled(money_pb2), "order": compiled(order_pb2),
    "messages": {"full": full.SerializeToString(deterministic=True).hex(), "empty": order_pb2.Order().SerializeToString().hex(),
                 "inner": order_pb2.Order.Inner(open=True).SerializeToString().hex(), "other": order_pb2.Other(n=-3).SerializeToString().hex()}}, indent=2))
