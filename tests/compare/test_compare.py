"""The comparison's own test: it passes on a right answer, and finds each wrong one.

Run in tests/: `python -m unittest compare.test_compare`.
"""
import contextlib
import io
import os
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from . import __main__ as compare
from . import normal, replay

TABLES = Path(__file__).parent.parent / "tables"
LIES = ["lost-file", "double-file", "size", "stats", "partition", "path", "unknown-field", "protocol", "metadata",
        "schema", "transaction", "domain", "row-count", "timestamp", "history",
        "mirror", "commit", "checkpoint", "latest", "time-travel", "where"]


class Comparison(unittest.TestCase):
    def run_compare(self, *tables, lie=""):
        with tempfile.TemporaryDirectory() as work:
            fake = Path(work) / "dl"
            fake.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{Path(__file__).parent / 'fake_dl.py'}' \"$@\"\n")
            fake.chmod(0o755)
            only = [f"--only={table}" for table in tables]
            out = io.StringIO()
            with mock.patch.dict(os.environ, LIE=lie), contextlib.redirect_stdout(out), \
                    mock.patch("sys.argv", ["compare", f"--dl={fake}", f"--tables={TABLES}", "--conditions=3", *only]):
                return compare.main(), out.getvalue()

    def test_right_answers_pass(self):
        code, out = self.run_compare(
            "json-commits", "deletion-vectors", "cleaned-up-classic-checkpoint", "partition-types")
        self.assertEqual(code, 0, out)

    def test_each_wrong_answer_is_found(self):
        for lie in LIES:
            with self.subTest(lie):
                code, out = self.run_compare("partition-values-delta-rs", lie=lie)
                self.assertEqual(code, 1, out)

    def test_a_broken_table_that_is_read_is_found(self):
        code, out = self.run_compare("add-with-a-text-size")
        self.assertEqual(code, 1, out)

    def test_nothing_compared_is_no_success(self):
        self.assertEqual(self.run_compare("no such table")[0], 2)


class Bundled(unittest.TestCase):
    def test_the_readme_names_every_table_and_no_other(self):
        text = (TABLES / "README.md").read_text()
        rows = re.findall(r"^\| ([a-z0-9, -]+?) \|", text, re.M)
        named = {name for row in rows for name in row.split(", ")} - {"table"}
        there = {f.name for f in TABLES.iterdir() if f.is_dir()} - {"broken"}
        self.assertEqual(named, there | {f.stem for f in (TABLES / "broken").glob("*.expected")})


class Replay(unittest.TestCase):
    def test_a_checkpoint_says_what_the_commits_before_it_say(self):
        compared = 0
        for table in sorted(TABLES.iterdir()):
            if not (table / "_delta_log").is_dir() or table.name.startswith("corrupt-"):
                continue
            log = replay.Log(table / "_delta_log")
            for version, state in replay.replay(table / "_delta_log").items():
                for files in log.checkpoints.get(version, []) if state.added is not None else []:
                    with self.subTest(table=table.name, version=version):
                        checkpoint = replay.State()
                        checkpoint.apply(replay.read_checkpoint(files, log.folder))
                        self.assertEqual(self.facts(checkpoint), self.facts(state))
                        compared += 1
        self.assertGreater(compared, 30)

    @staticmethod
    def facts(state):
        # `dataChange` means nothing in a checkpoint, and a table's property may leave statistics out of it.
        files = {key: {k: v for k, v in normal.add(a).items() if k not in ("dataChange", "stats")}
                 for key, a in state.files.items()}
        return (files, normal.protocol(state.protocol), normal.metadata(state.metadata),
                {k: normal.present(v) for k, v in state.transactions.items()}, state.domain_metadata)


if __name__ == "__main__":
    unittest.main()
