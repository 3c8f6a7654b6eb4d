"""What the project promises, as ratios to the best peer on the same work in the same run."""
LIST = ("open", "list")


class Figures:
    """Medians by peer, form, tasks and size."""

    def __init__(self, rows):
        self.rows = {(r["peer"], r.get("variant"), r["task"], r["n"]): r for r in rows if "failed" not in r}
        self.variants = {(r["peer"], r.get("variant")) for r in rows}

    def seconds(self, peer, tasks, n, key="median_s"):
        """The least sum of some tasks' medians over a peer's forms."""
        sums = []
        for variant in {v for p, v in self.variants if p == peer}:
            found = [self.rows.get((peer, variant, task, n), {}).get(key) for task in tasks]
            if all(f is not None for f in found):
                sums.append(sum(found))
        return min(sums, default=None)

    def memory(self, peer, task, n):
        return self.seconds(peer, [task], n, "peak_rss_mb")

    def sizes(self, task):
        return sorted({k[3] for k in self.rows if k[0] == "deltalakedb" and k[2] == task})

    def row(self, peer, task, variant, n=None):
        return next((r for k, r in self.rows.items() if k[:3] == (peer, variant, task) and n in (None, k[3])), None)

    def best(self, task, key, n=None, best=max):
        """The best of all peers' variants: (peer, figure)."""
        found = [(k[0], r[key]) for k, r in self.rows.items()
                 if k[0] != "deltalakedb" and k[2] == task and n in (None, k[3]) and r.get(key) is not None]
        return best(found, key=lambda f: f[1]) if found else None


def shown(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


class Table:
    def __init__(self):
        print("\n## Targets\n\n| work | deltalakedb | peer | ratio | target | |\n|---|--:|--:|--:|--:|---|")

    def line(self, work, own, peer, ratio, target, met):
        print(f"| {work} | {own} | {peer} | {ratio} | {target} | {'met' if met else '**missed**'} |")

    def faster(self, work, own, peer, theirs, target):
        """Both in seconds."""
        if own is not None and theirs is not None:
            ratio = theirs / own
            self.line(work, shown(own), f"{peer} {shown(theirs)}", f"{ratio:.3g}", f"{target} times", ratio >= target)

    def under(self, work, own, most, unit=shown):
        if own is not None:
            self.line(work, unit(own), "", "", f"under {unit(most)}", own < most)

    def rate(self, work, own, best, target):
        if own is not None and best is not None:
            ratio = own / best[1]
            self.line(work, f"{own:,.0f}/s", f"{best[0]} {best[1]:,.0f}/s", f"{ratio:.3g}", f"{target} times", ratio >= target)


def table(rows):
    f, t = Figures(rows), Table()
    peers = ("delta-rs", "duckdb-delta", "ducklake-sqlite", "ducklake-postgres")

    def best_of(tasks, n):
        found = [(p, f.seconds(p, tasks, n)) for p in peers]
        return min((x for x in found if x[1] is not None), key=lambda x: x[1], default=(None, None))

    megabytes = lambda mb: f"{mb:,.0f} MB"
    for n in f.sizes("list"):
        own = f.seconds("deltalakedb", LIST, n)
        for peer, target in (("delta-rs", 30), ("ducklake-sqlite", 15), ("ducklake-postgres", 15)):
            t.faster(f"open, list {n:,} files", own, peer, f.seconds(peer, LIST, n), target)
            mine, theirs = f.memory("deltalakedb", "list", n), f.memory(peer, "list", n)
            if mine and theirs:
                t.line("its memory", megabytes(mine), f"{peer} {megabytes(theirs)}", f"{theirs / mine:.3g}", "5 times less",
                       theirs >= 5 * mine)
        for task, what in (("prune_stats", "files by statistics (10)"), ("prune_partition", "files of a partition (1 %)")):
            t.faster(f"open, {what}, of {n:,}", f.seconds("deltalakedb", ("open", task), n), *best_of(("open", task), n), 100)
        t.faster(f"list {n:,} files again", f.seconds("deltalakedb", ["list_again"], n), *best_of(["list_again"], n), 1)
        t.faster(f"latest version of {n:,} files, warm", f.seconds("deltalakedb", ["poll"], n), *best_of(["poll"], n), 10)
        t.under(f"latest version of {n:,} files, cold process", f.seconds("deltalakedb", ["latest_version"], n), 0.010)
        if (import_s := f.seconds("deltalakedb", ["import"], n)) is not None:
            t.faster(f"import a log of {n:,} files (delta-rs: load it)", f.row("deltalakedb", "import", "json", n)["median_s"],
                     "delta-rs", (f.row("delta-rs", "open", "json", n) or {}).get("median_s"), 1)
            t.under("its memory", f.memory("deltalakedb", "import", n), 400, megabytes)
        t.faster(f"checkpoint of {n:,} files", f.seconds("deltalakedb", ["checkpoint"], n), "delta-rs",
                 f.seconds("delta-rs", ["checkpoint"], n), 3)
        mine, theirs = f.memory("deltalakedb", "checkpoint", n), f.memory("delta-rs", "checkpoint", n)
        if mine and theirs:
            t.line("its memory", megabytes(mine), f"delta-rs {megabytes(theirs)}", f"{theirs / mine:.3g}", "10 times less",
                   theirs >= 10 * mine)
    sizes = f.sizes("append_large")
    if len(sizes) > 1:
        small, large = (f.seconds("deltalakedb", ["append_large"], n) for n in (sizes[0], sizes[-1]))
        t.line(f"add a file to {sizes[-1]:,} files", shown(large), f"to {sizes[0]:,}: {shown(small)}", f"{large / small:.3g}",
               "1.2 at most", large <= 1.2 * small)
    for n in f.sizes("open_version"):
        t.faster(f"open a version of {n:,}, list", f.seconds("deltalakedb", ["open_version"], n),
                 *best_of(["open_version"], n), 20)
        t.under(f"history of {n:,} commits, first 100", f.seconds("deltalakedb", ["history_100"], n), 0.002)
    if own := f.row("deltalakedb", "append", "caller"):
        ducklake = max(((k[0], r["per_s"]) for k, r in f.rows.items() if k[0] == "ducklake-sqlite" and k[2] == "append"),
                       key=lambda x: x[1], default=None)
        t.rate("commits one after the other, fsync", own["per_s"], ducklake, 10)
        t.under("slowest but 1 %", own["p99_s"], 0.005)
    if own := f.row("deltalakedb", "writers", "processes", 16):
        t.rate("16 processes, one table", own["per_s"], f.best("writers", "per_s", 16), 10)
        t.under("slowest of them", own["max_s"], 0.250)
        t.line("refused", own["failed_commits"], "", "", "none", own["failed_commits"] == 0)
    if own := f.row("deltalakedb", "writers", "threads", 16):
        t.line("16 threads of a process", f"{own['per_s']:,.0f}/s", "", "", "5,000/s", own["per_s"] >= 5000)
    if own := f.row("deltalakedb", "multi", "one transaction"):
        best = f.best("multi", "median_s", best=min)
        t.faster("transaction over ten tables", own["median_s"], *(best or (None, None)), 10)
