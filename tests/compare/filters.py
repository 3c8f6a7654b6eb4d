"""`--where` against the rows themselves: a file with a matching row, as DuckDB reads them, is never left out."""
import datetime
import math
import re
from decimal import Decimal

import duckdb

from . import checks, engines, normal
from .dl import Failed

# Conditions on so many columns of a table.
COLUMNS = 8

# Tables whose rows, as DuckDB reads them, prove nothing.
NOT_COMPARED = {
    "column-mapping-id": "DuckDB gives null for partition columns of tables with column mapping by id",
    "issue_1374": "its statistics are wrong: the smallest timestamp is below its minValues",
}


class Condition:
    """One condition in the words of `dl` and in those of DuckDB."""

    def __init__(self, dl, duck=None):
        self.dl, self.duck = dl, duck or dl

    def __repr__(self):
        return self.dl


def check(dl, duck, table, version, adds, most, report):
    """Tries conditions on every column of the latest version, evenly chosen where there are more than `most`."""
    if reason := NOT_COMPARED.get(table.name):
        return report.unread(table, "duckdb (rows)", reason)
    scan = "delta_scan('%s')" % str(table).replace("'", "''")
    try:
        conditions = _conditions(duck, scan)
        conditions = conditions[:: -(-len(conditions) // most) or 1]
        matching = _files_with_matches(duck, scan, conditions, table)
    except duckdb.Error as error:
        return report.unread(table, "duckdb (rows)", engines.not_read(error))
    for condition, files in zip(conditions, matching):
        try:
            kept = dl.run("files", "--version", version, "--where", condition.dl, form="ndjson")
        except Failed as error:
            report.failed(table, f"--where {condition}", error)
            continue
        report.compared["filters: conditions"] += 1
        report.compared["filters: files left out"] += len(adds) - len(kept)
        lost = files - {normal.path(add["path"]) for add in kept}
        report.differ(table, f"--where {condition}", checks.different("left out, with matching rows", sorted(lost), []))


def _conditions(duck, scan):
    conditions = []
    for name, kind in _columns(duck, scan):
        low, high = duck.execute(f"SELECT min({name}), max({name}) FROM {scan}").fetchone()
        conditions += [Condition(f"{name} IS NULL"), Condition(f"{name} IS NOT NULL")]
        literals = [literal for value in {low, high} if (literal := _literal(value, kind))]
        for of_dl, of_duck in literals:
            for form in ["{} = {}", "{} <> {}", "{} < {}", "{} <= {}", "{} > {}", "{} >= {}", "NOT {} = {}",
                         "{} IN ({}, NULL)"]:
                conditions.append(Condition(form.format(name, of_dl), form.format(name, of_duck)))
            conditions.append(Condition(f"{name} <=> {of_dl}", f"{name} IS NOT DISTINCT FROM {of_duck}"))
        if len(literals) == 2:
            (low_dl, low_duck), (high_dl, high_duck) = literals
            between = "{} BETWEEN {} AND {}"
            conditions.append(Condition(between.format(name, low_dl, high_dl), between.format(name, low_duck, high_duck)))
    pairs = list(zip(conditions[::5], conditions[3::5]))
    for this, that in pairs:
        for form in ["({}) AND NOT ({})", "NOT (({}) OR ({}))"]:
            conditions.append(Condition(form.format(this.dl, that.dl), form.format(this.duck, that.duck)))
    return conditions


def _columns(duck, scan):
    """Quoted names and types of the columns, and of the fields of structs, that can be compared."""
    found = []
    for name, kind, *_ in duck.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall():
        quoted = '"%s"' % name.replace('"', '""')
        fields = duck.execute(f"SELECT * FROM (SELECT unnest({quoted}) FROM {scan}) LIMIT 0").description \
            if kind.startswith("STRUCT(") else []
        found.append((quoted, kind))
        found += [('%s."%s"' % (quoted, field[0].replace('"', '""')), str(field[1])) for field in fields]
    return [(name, kind) for name, kind in found if _is_comparable(kind)][:COLUMNS]


def _is_comparable(kind):
    return kind in ("VARCHAR", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "BOOLEAN", "DATE",
                    "TIMESTAMP", "TIMESTAMP WITH TIME ZONE") or re.fullmatch(r"DECIMAL\(\d+,\d+\)", kind)


def _literal(value, kind):
    """A value as a literal of `dl` and of DuckDB; None for what has none."""
    match value:
        case None:
            return None
        case bool():
            return str(value).upper(), str(value).upper()
        case float() if not math.isfinite(value):
            return None
        case int() | float() | Decimal():
            return f"{value}", f"CAST('{value}' AS {kind})"
        case datetime.datetime():
            text = value.replace(tzinfo=None).isoformat(" ")
            zone = "Z" if kind == "TIMESTAMP WITH TIME ZONE" else ""
            return f"TIMESTAMP '{text}{zone}'", f"CAST('{text}{zone}' AS {kind})"
        case datetime.date():
            return f"DATE '{value}'", f"DATE '{value}'"
        case str():
            text = "'%s'" % value.replace("'", "''")
            return text, text
    return None


def _files_with_matches(duck, scan, conditions, table):
    """For each condition the paths of the files with a row that it is true for."""
    tests = ", ".join(f"coalesce(bool_or({condition.duck}), false)" for condition in conditions)
    if not tests:
        return []
    rows = duck.execute(f"SELECT filename, {tests} FROM {scan} GROUP BY filename").fetchall()
    prefix = f"{table}/"
    paths = [row[0].removeprefix(prefix) for row in rows]
    return [{path for path, row in zip(paths, rows) if row[index] and checks.relative(path)}
            for index in range(1, len(conditions) + 1)]
