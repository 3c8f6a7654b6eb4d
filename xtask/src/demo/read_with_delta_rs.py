"""Reads a table with delta-rs: `python read_with_delta_rs.py TABLE`."""
import sys

from deltalake import DeltaTable, QueryBuilder

table = DeltaTable(sys.argv[1])
# By a query, as `count()` of the table includes the rows that deletion vectors delete.
counted = QueryBuilder().register("people", table).execute("select count(*) as n from people").read_all()
print(f"version {table.version()}, {len(table.file_uris())} files, {counted['n'][0].as_py()} rows")
