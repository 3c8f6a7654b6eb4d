"""The one place where answers are brought to a common form before they are compared.

Each function says which difference in mere representation it removes. Whatever is not listed here must be equal.
"""
import base64
import datetime
import decimal
import json
import math
import re
import urllib.parse
from decimal import Decimal

decimal.getcontext().prec = 1000  # so that `normalize` rounds nothing
TIMESTAMP = re.compile(r"-?\d{4,6}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")


def present(body):
    """A field that is null says the same as a field that is absent. Null values inside of maps are data, and stay."""
    return {k: v for k, v in body.items() if v is not None}


def add(action):
    """An add action. Checkpoints repeat some fields in typed form, which is not part of the action."""
    body = present(action)
    parsed = body.pop("stats_parsed", None)
    body.pop("partitionValues_parsed", None)
    if "deletionVector" in body:
        body["deletionVector"] = present(body["deletionVector"])
    # The empty string is null, by the protocol.
    body["partitionValues"] = {k: v or None for k, v in body["partitionValues"].items()}
    if body.get("tags") == {}:  # a checkpoint's column may hold an empty map where the commit had none
        del body["tags"]
    body["stats"] = stats(body["stats"]) if body.get("stats") else stats_parsed(parsed)
    return body


def action(line):
    """A line of a commit as text: without null fields and the order of keys, with the statistics' own text undone."""
    def body(kind, value):
        if not isinstance(value, dict):
            return value
        value = present(value)
        if kind in ("add", "remove") and value.get("stats"):
            value["stats"] = sorted((list(k), str(v)) for k, v in stats(value["stats"]).items())
        if isinstance(value.get("deletionVector"), dict):
            value["deletionVector"] = present(value["deletionVector"])
        return value
    # Numbers with a fraction are Decimals: written as text with their exact digits.
    return json.dumps({k: body(k, v) for k, v in line.items()}, sort_keys=True, default=lambda d: f"({d.normalize()})")


def stats(text):
    """Statistics compare as values by column: the text's order, spaces and null entries mean nothing."""
    return flat(json.loads(text, parse_float=Decimal))


def stats_parsed(parsed):
    return flat(parsed) if parsed else {}


def flat(value, path=()):
    if isinstance(value, dict):
        return {p: v for k, inner in value.items() for p, v in flat(inner, (*path, k)).items()}
    return {} if value is None else {path: scalar(value)}


def scalar(value):
    """Typed (from `stats_parsed`) and JSON values of one column. JSON cuts timestamps to milliseconds."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, Decimal)):
        return Decimal(value).normalize()
    if isinstance(value, float):
        if math.isfinite(value):
            return Decimal(repr(value)).normalize()
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # as JSON has them, in quotes
    if isinstance(value, str) and TIMESTAMP.match(value):
        value = value.replace(" ", "T").removesuffix("Z")
        return (value if "." in value else value + ".000")[:23]
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0")[:23]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def protocol(action):
    """Features are a set."""
    body = present(action)
    for key in ("readerFeatures", "writerFeatures"):
        body[key] = sorted(body.get(key) or [])
    return body


def metadata(action):
    """Format options and configuration default to empty."""
    body = present(action)
    body["format"] = {**body.get("format", {}), "options": body.get("format", {}).get("options") or {}}
    body["configuration"] = body.get("configuration") or {}
    return body


def path(text):
    """delta-rs and DuckDB encode or decode a path each in its own way; decoded, all are the same."""
    return urllib.parse.unquote(text)


def partition_value(value, kind):
    """Engines give typed values: the log's text is read by its column's type. Empty means null."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else str(value) if value != value else value
    if kind in ("byte", "short", "integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        number = float(value)
        return number if number == number else "nan"
    if kind.startswith("decimal"):
        return Decimal(value)
    if kind == "boolean":
        return value.lower() == "true"
    if kind == "date":
        return datetime.date.fromisoformat(value)
    if kind in ("timestamp", "timestamp_ntz"):
        at = datetime.datetime.fromisoformat(value)
        return at if kind == "timestamp_ntz" else at.replace(tzinfo=at.tzinfo or datetime.timezone.utc)
    return value.encode() if kind == "binary" else value


def schema_types(schema_string):
    """Column name and physical name -> (name, type) of the top-level columns that hold a single value."""
    types = {}
    for field in json.loads(schema_string)["fields"]:
        physical = field["metadata"].get("delta.columnMapping.physicalName", field["name"])
        types[physical] = (field["name"], field["type"] if isinstance(field["type"], str) else "struct")
    return types


def typed_partition_values(add_action, schema_string):
    """The log's partition values under their logical names, as delta-rs gives them."""
    types = schema_types(schema_string)
    named = ((*types.get(k, (k, "string")), v) for k, v in add_action["partitionValues"].items())
    return {name: partition_value(v, kind) for name, kind, v in named}


def schema(text):
    """A schema as JSON: metadata entries keep their order nowhere, so it compares as an object."""
    return json.loads(text, parse_float=Decimal)
