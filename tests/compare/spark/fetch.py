"""`python -m compare.spark.fetch FOLDER`: fetches Delta's jars (packages.txt) to FOLDER/jars, and proves that Spark starts
with them: later runs download nothing."""
import sys
import tempfile
from pathlib import Path

from . import engine


def main():
    folder = Path(sys.argv[1]).resolve()
    packages = (Path(__file__).parent / "packages.txt").read_text().split()
    with tempfile.TemporaryDirectory() as work:
        spark = engine.start(work, **{"spark.jars.packages": ",".join(packages), "spark.jars.ivy": str(folder),
                                      # PySpark brings it.
                                      "spark.jars.excludes": "org.apache.hadoop:hadoop-client-runtime"})
        name = engine.quoted(Path(work) / "table")
        spark.sql(f"CREATE TABLE {name} USING delta AS SELECT 1 AS id").collect()
        assert spark.sql(f"SELECT * FROM {name}").collect()[0][0] == 1
        spark.stop()


if __name__ == "__main__":
    main()
