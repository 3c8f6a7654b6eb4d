"""Makes all bundled tables anew: `python make.py`. See README.md."""
import shutil
import tempfile
from pathlib import Path

import delta_rs_tables
import edited_tables
import spark_tables

TARGET = Path(__file__).resolve().parent.parent / "tables"


# Spark's version checksums are large, so only these tables keep theirs.
WITH_CHECKSUMS = {"json-commits-spark", "deletion-vectors", "in-commit-timestamps", "liquid-clustering",
                  "property-changes", "transactions", "v2-checkpoint-many-features"}


def clean(tables):
    """Hadoop's checksums (`.x.crc`) and empty folders are no part of a table."""
    for file in tables.rglob("*.crc"):
        if file.name.startswith(".") or file.relative_to(tables).parts[0] not in WITH_CHECKSUMS:
            file.unlink()
    for folder in sorted((d for d in tables.rglob("*") if d.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    for extra in ["streaming-source", "streaming-state"]:
        shutil.rmtree(tables / extra)


def check_no_machine_path(tables):
    for file in tables.rglob("*"):
        if file.is_file() and str(tables).encode() in file.read_bytes():
            raise SystemExit(f"{file} holds the folder that it was made in")


def main():
    with tempfile.TemporaryDirectory(prefix="delta-tables-") as work:
        tables = Path(work).resolve() / "tables"
        tables.mkdir()
        spark = spark_tables.start(Path(work) / "jars")
        writers = [(f, lambda folder, f=f: f(spark_tables.Table(spark, folder))) for f in spark_tables.TABLES]
        writers += [(f, f) for f in delta_rs_tables.TABLES]
        for function, write in writers:
            name = function.__name__.replace("_", "-")
            print(name, flush=True)
            write(tables / name)
        spark.stop()
        clean(tables)
        edited_tables.edit(tables)
        check_no_machine_path(tables)
        for old in TARGET.glob("*"):
            if old.is_dir():
                shutil.rmtree(old)
        shutil.copytree(tables, TARGET, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
