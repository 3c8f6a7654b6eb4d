"""Runs the jobs of every peer in child processes and writes one JSON line per measurement."""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import fixtures
from adapters import peer

HERE = os.path.dirname(os.path.abspath(__file__))


GROW = 6
READ_LOGS = ("delta-rs", "duckdb-delta")


class Stopped(Exception):
    pass


class Bench:
    def __init__(self, args, dsn, pg_version):
        self.a, self.pg_version = args, pg_version
        self.env = {"work": args.work, "dsn": dsn, "dl": args.dl, "peer": args.peer}
        self.peers = [p for p in args.peers if dsn or p != "ducklake-postgres"]
        self.out = open(args.out, "a") if args.out else None

    def say(self, text):
        print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)

    def emit(self, **row):
        row["load1"] = round(os.getloadavg()[0], 1)
        if row["peer"] == "ducklake-postgres" and "versions" in row:
            row["versions"] = {**row["versions"], "postgresql": self.pg_version}
        line = json.dumps({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items() if v is not None})
        print(line, flush=True)
        if self.out:
            print(line, file=self.out, flush=True)

    def start(self, **job):
        job["env"] = self.env
        fd, job["result"] = tempfile.mkstemp(".json", dir=self.a.work)
        os.close(fd)
        program = peer(job["peer"], self.env).program(job["do"]) or [sys.executable, os.path.join(HERE, "child.py")]
        p = subprocess.Popen(program, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        p.stdin.write(json.dumps(job) + "\n")
        p.stdin.flush()
        p.result = job["result"]
        return p

    def wait(self, p):
        began = time.time()
        while p.poll() is None:
            time.sleep(0.05)
            try:
                with open(f"/proc/{p.pid}/statm") as f:
                    over = int(f.read().split()[1]) * 4096 > self.a.max_rss_gb * 2**30
            except OSError:
                over = False
            if over or time.time() - began > self.a.timeout:
                p.kill()
                p.communicate()
                os.remove(p.result)
                raise Stopped(f"over {self.a.max_rss_gb} GB of memory" if over else f"over {self.a.timeout} s")
        _, err = p.communicate()
        with open(p.result) as f:
            out = f.read()
        os.remove(p.result)
        if p.returncode:
            last = (err.strip().splitlines() or [f"exit {p.returncode}"])[-1]
            raise Stopped(re.sub(r"^.*Unsupported: ", "not supported: ", last)[:300])
        return json.loads(out)

    def run(self, **job):
        return self.wait(self.start(**job))

    def turns(self, entries):
        """Jobs of timed blocks, of all peers in turns, so that all meet the same moods of the machine. An entry is a dict
        of the peer's name, do, spec, n and, where there is one, variant, runs and what to do before. One line for each task."""
        for e in entries:
            e.update(rows={}, versions=None, failed=None)
        for turn in range(max((e.get("runs") or self.a.runs for e in entries), default=0)):
            for e in entries:
                if turn < (e.get("runs") or self.a.runs) and not e["failed"]:
                    self.turn(e)
        for e in entries:
            about = {"peer": e["name"], "variant": e.get("variant"), "n": e["n"]}
            if e["failed"]:
                self.emit(**about, task=e["do"], failed=e["failed"])
            for task, rs in e["rows"].items():
                s = [r["s"] for r in rs]
                self.emit(**about, task=task, median_s=statistics.median(s), min_s=min(s), max_s=max(s),
                          cpu_s=statistics.median(r["cpu_s"] for r in rs), runs=len(rs),
                          peak_rss_mb=max(r["rss_mb"] for r in rs), count=rs[-1].get("count"),
                          wrong=next((r["wrong"] for r in rs if "wrong" in r), None), versions=e["versions"])

    def turn(self, e):
        self.say(f"{e['do']} {e['name']} {e.get('variant') or ''} n={e['n']}")
        if e.get("before"):
            e["before"]()
        try:
            r = self.run(peer=e["name"], do=e["do"], spec=e["spec"], commits=GROW)
        except Stopped as stopped:
            e["failed"] = str(stopped)
            return
        e["versions"] = r["versions"]
        for row in r["rows"]:
            e["rows"].setdefault(row["task"], []).append(row)

    def load(self, table):
        for name in (n for n in self.peers if n not in READ_LOGS):
            self.say(f"filling the catalog of {name}")
            self.run(peer=name, do="load", table=table)

    def forms(self, name, with_checkpoints):
        """Those that read logs do so without checkpoints and with them."""
        return ("json", with_checkpoints) if name in READ_LOGS else (None,)

    def entries(self, do, path, spec, n, with_checkpoints="checkpoint"):
        for name in self.peers:
            for form in self.forms(name, with_checkpoints):
                runs = min(self.a.runs, 3) if n >= 1_000_000 else self.a.runs
                yield {"name": name, "do": do, "spec": spec, "n": n, "variant": form,
                       "runs": 1 if do == "grow" or (form == "json" and n >= 1_000_000) else runs,
                       "before": form and (lambda on=form != "json": fixtures.checkpoints(path, on))}

    def reads(self):
        for n in self.a.files:
            path, spec = fixtures.table(self.a.work, n, 100)

            def drop():
                fixtures.checkpoints(path, False)
                shutil.rmtree(os.path.join(path, fixtures.ASIDE))

            jobs, runs = set(self.a.jobs), min(self.a.runs, 3)
            if {"read", "latest", "grow", "checkpoint"} & jobs:
                self.load(path)
            if {"checkpoint", "read"} & jobs:
                own = [{"name": "deltalakedb", "do": "checkpoint", "spec": spec, "n": n, "runs": runs}]
                theirs = [{"name": "delta-rs", "do": "checkpoint", "spec": spec, "n": n, "runs": runs, "before": drop}]
                self.turns([e for e in own + theirs if e["name"] in self.peers])
            if "import" in jobs and "deltalakedb" in self.peers:
                self.turns([{"name": "deltalakedb", "do": "import_", "spec": spec, "n": n, "variant": form, "runs": 1,
                             "before": lambda on=form != "json": fixtures.checkpoints(path, on)}
                            for form in ("json", "checkpoint")])
            for job in ("read", "latest", "grow"):  # the last one changes the PostgreSQL catalog
                if job in jobs:
                    self.turns(list(self.entries(job, path, spec, n)))

    def travels(self):
        for m in self.a.commits:
            path, spec = fixtures.table(self.a.work, m, m, checkpoint_every=100)
            self.load(path)
            self.turns(list(self.entries("travel", path, spec, m, "checkpoint-100")))

    def folder(self, *parts):
        path = os.path.join(self.a.work, re.sub(r"\W+", "-", "-".join(map(str, parts))))
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def ways(self, job):
        """(peer, variant) of a writing job; a quick run takes the first two variants."""
        for name in self.peers:
            for variant in peer(name, self.env).variants(job)[:2 if self.a.quick else None]:
                yield name, variant

    def writes(self, job, count):
        for name, variant in self.ways(job):
            self.say(f"{job} {name} {variant}")
            try:
                r = self.run(peer=name, do=job, variant=variant, count=count, folder=self.folder(job, name, variant))
            except Stopped as e:
                self.emit(peer=name, variant=variant, task=job, n=count, failed=str(e))
                continue
            self.emit(peer=name, variant=variant, task=job, n=count, **self.rates(r["done"], sum(r["done"])),
                      cpu_s=r["cpu"] / count, runs=1, peak_rss_mb=r["rss_mb"], errors=r["errors"] or None,
                      wrong=None if r["total"] == r["expect"] else f"{r['total']} found, {r['expect']} committed",
                      versions=r["versions"])

    @staticmethod
    def rates(done, seconds, one=True):
        if not done:
            return {"commits": 0}
        tenth, grows = max(len(done) // 10, 1), {}
        if one and len(done) >= 30:  # does a commit get slower as the table grows?
            grows = {"first_tenth_s": statistics.median(done[:tenth]), "last_tenth_s": statistics.median(done[-tenth:])}
        done = sorted(done)
        return {**grows, "median_s": statistics.median(done), "p99_s": done[int(len(done) * 0.99)], "max_s": done[-1],
                "commits": len(done), "per_s": len(done) / seconds}

    def writers(self, w):
        for name, variant in self.ways("writers"):
            self.say(f"{w} writers {name} {variant}")
            folder = self.folder("writers", w, name, variant)
            self.run(peer=name, do="create", variant=variant, folder=folder)
            count, told = peer(name, self.env).processes(variant, w)
            procs = [self.start(peer=name, do="writers", variant=told, folder=folder) for _ in range(count)]
            ready = [p.stdout.readline().strip() == "ready" for p in procs]
            until = time.time() + self.a.seconds
            for p, ok in zip(procs, ready):
                if ok:
                    p.stdin.write(f"{until}\n")
                    p.stdin.flush()
            rs, failed = [], []
            for p in procs:
                try:
                    rs.append(self.wait(p))
                except Stopped as e:
                    failed.append(str(e))
            done, lost, errors = [t for r in rs for t in r["done"]], [t for r in rs for t in r["lost"]], {}
            for r in rs:
                for e, k in r["errors"].items():
                    errors[e] = errors.get(e, 0) + k
            total = self.run(peer=name, do="total", variant=variant, folder=folder)["total"]
            self.emit(peer=name, variant=variant, task="writers", n=w, **self.rates(done, self.a.seconds, False),
                      failed_commits=len(lost), failed_median_s=statistics.median(lost) if lost else None,
                      errors=dict(sorted(errors.items(), key=lambda e: -e[1])[:4]) or None, dead_writers=failed or None,
                      peak_rss_mb=max((r["rss_mb"] for r in rs), default=None), runs=1,
                      wrong=None if total == len(done) else f"{total} found, {len(done)} acknowledged",
                      versions=rs[0]["versions"] if rs else None)

    def machine(self):
        """What the figures stand on: processors, memory, and what an fsync of 4 KiB costs here."""
        times, path = [], os.path.join(self.a.work, "fsync")
        with open(path, "wb", buffering=0) as f:
            for _ in range(100):
                f.write(b"x" * 4096)
                began = time.perf_counter()
                os.fsync(f.fileno())
                times.append(time.perf_counter() - began)
        os.remove(path)
        self.emit(peer="machine", task="fsync", n=100, median_s=statistics.median(times), cpus=os.cpu_count(), runs=1,
                  memory_gb=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
                  versions={"python": sys.version.split()[0]})

    def everything(self):
        self.machine()
        jobs = self.a.jobs
        if {"read", "latest", "checkpoint", "grow"} & set(jobs):
            self.reads()
        if "travel" in jobs:
            self.travels()
        if "append" in jobs:
            self.writes("append", self.a.appends)
        if "multi" in jobs:
            self.writes("multi", max(self.a.appends // 10, 5))
        for w in self.a.writers if "writers" in jobs else ():
            self.writers(w)
