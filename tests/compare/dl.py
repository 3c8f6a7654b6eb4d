"""Runs the `dl` binary, and reads its answers."""
import json
import subprocess
from decimal import Decimal


class Failed(Exception):
    """`dl` failed: its exit code and its error."""

    def __init__(self, arguments, code, stderr):
        self.code, self.kind, self.message = code, None, stderr.strip()
        for line in [stderr, *stderr.splitlines()]:
            try:
                error = json.loads(line)["error"]
                self.kind, self.message = error["kind"], error["message"]
            except (ValueError, KeyError, TypeError):
                continue
        super().__init__(f"dl {arguments[0]}: exit code {code}, {self.kind}: {self.message[:300]}")


def loads(text):
    return json.loads(text, parse_float=Decimal)


class Dl:
    """One catalog."""

    def __init__(self, binary, database):
        self.binary, self.database = str(binary), str(database)

    def run(self, command, *arguments, form="json", codes=(0,)):
        """Its answer; `codes` are the exit codes with which it gives one."""
        line = [command, "--database", self.database, *map(str, arguments), "--format", form]
        done = subprocess.run([self.binary, *line], capture_output=True, timeout=600)
        if done.returncode not in codes:
            raise Failed(line, done.returncode, done.stderr.decode("utf-8", "replace"))
        try:
            if form == "ndjson":
                return [loads(one) for one in done.stdout.decode().split("\n") if one]
            return loads(done.stdout)
        except ValueError as error:
            raise Failed(line, done.returncode, f"its output is no JSON: {error}") from None

    def import_log(self, log_folder, mode="full-history"):
        return self.run("import", "--log-dir", log_folder, "--mode", mode)

    def snapshot(self, version):
        return self.run("snapshot", "--version", version)

    def files(self, version):
        return self.run("files", "--version", version, form="ndjson")

    def history(self):
        return {entry["version"]: entry for entry in self.run("history")}
