"""deltalakedb itself: what it does in a process of the user's is done by the program in `peer/`, which takes the same jobs as
child.py; what it does as a command is done by `dl`."""
import os
import resource
import shutil
import subprocess

from . import Peer

IN_PROCESS = ("read", "travel", "grow", "create", "total", "append", "multi", "writers")


class DeltaLakeDB(Peer):
    name = "deltalakedb"

    def setup(self):
        pass

    def versions(self):
        return {"deltalakedb": subprocess.run([self.env["dl"], "--version"], capture_output=True, text=True,
                                              check=True).stdout.split()[-1]}

    def program(self, job):
        """What runs a job instead of child.py."""
        return [self.env["peer"]] if job in IN_PROCESS else None

    def variants(self, job):
        return {"append": ["fsync", "caller"], "writers": ["processes", "threads"], "multi": ["one transaction"]}[job]

    def processes(self, variant, writers):
        """How many processes, and what to tell each: by threads, one process has them all."""
        return (1, f"{writers} threads") if variant == "threads" else (writers, variant)

    def catalog(self, spec):
        return spec["table"] + ".db"

    def dl(self, *args):
        run = subprocess.run([self.env["dl"], *args], capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(run.stderr.strip().splitlines()[-1])
        return run.stdout

    def _import(self, table):
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(table + ".db" + suffix):
                os.remove(table + ".db" + suffix)
        self.dl("import", "--database", table + ".db", "--log-dir", os.path.join(table, "_delta_log"), "--name", "t")

    def load(self, table):
        self._import(table)

    def import_(self, spec, rec):
        with rec("import"):
            self._import(spec["table"])
        self._memory_of_children(rec)

    def latest(self, spec, rec):
        with rec("latest_version", spec["commits"] - 1) as s:
            s.count = int(self.dl("snapshot", "--database", self.catalog(spec), "--format", "json")
                          .split('"version":')[1].split(",")[0])
        self._memory_of_children(rec)

    def checkpoint(self, spec, rec):
        target = spec["table"] + ".export"
        shutil.rmtree(target, ignore_errors=True)
        with rec("checkpoint"):
            self.dl("export", "--database", self.catalog(spec), "--table", "t", "--to", target)
        self._memory_of_children(rec)
        shutil.rmtree(target)

    @staticmethod
    def _memory_of_children(rec):
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        rec.rows[-1].update(rss_mb=usage.ru_maxrss // 1024, cpu_s=usage.ru_utime + usage.ru_stime)
