"""One measurement in a process of its own: a job as JSON from standard input, a result file.

Started by driver.py. A job names a peer, what to do, and what to do it to; see
adapters/__init__.py for what a peer is.
"""
import json
import re
import sys
import time

from adapters import Recorder, peak_rss_mb, peer

WARM_UP, TABLES = 5, 10


def loop(commit, until=None, count=None):
    """Commit again and again: (seconds of each commit, seconds of each failure, {error: times})."""
    done, lost, errors, k = [], [], {}, 0
    while (time.time() < until) if until else (k < count):
        k, began = k + 1, time.perf_counter()
        try:
            commit(k)
            done.append(time.perf_counter() - began)
        except Exception as e:  # whatever a caller would have to deal with
            lost.append(time.perf_counter() - began)
            text = re.sub(r"\s+", " ", re.sub(r"/\S+|\d+|\"[^\"]*\"", "#", str(e)))[:140]
            errors[f"{type(e).__name__}: {text}"] = errors.get(f"{type(e).__name__}: {text}", 0) + 1
    return done, lost, errors


def child(job):
    began, cpu = time.perf_counter(), time.process_time()
    p = peer(job["peer"], job["env"])
    p.setup()
    startup = {"task": "startup", "s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu,
               "rss_mb": peak_rss_mb()}
    do, folder, variant, out = job["do"], job.get("folder"), job.get("variant"), {}
    if do in ("read", "latest", "travel", "checkpoint", "grow", "import_"):
        rec = Recorder()
        getattr(p, do)(job["spec"], rec, *([job["commits"]] if do == "grow" else []))
        out["rows"] = rec.rows + ([startup] if do == "read" else [])
    elif do == "load":
        p.load(job["table"])
    elif do == "create":
        p.create(folder, variant)
    elif do == "total":
        out["total"] = p.total(folder, variant)
    elif do in ("append", "multi"):
        tables = TABLES if do == "multi" else 1
        fresh = [peer(job["peer"], job["env"]) for _ in range(2)]
        for q in fresh:
            q.setup()
        p.create(folder, variant, tables)
        w = fresh[0].multi_writer(folder, variant, tables) if do == "multi" else fresh[0].writer(folder, variant)
        for k in range(WARM_UP):
            w(-1 - k)
        cpu = time.process_time()
        done, lost, errors = loop(w, count=job["count"])
        out.update(done=done, errors=errors, cpu=time.process_time() - cpu, rss_mb=peak_rss_mb(),
                   total=fresh[1].total(folder, variant, tables), expect=(len(done) + WARM_UP) * tables)
    elif do == "writers":
        w = p.writer(folder, variant)
        print("ready", flush=True)
        done, lost, errors = loop(w, until=float(sys.stdin.readline()))
        out.update(done=done, lost=lost, errors=errors, rss_mb=peak_rss_mb())
    out["versions"] = p.versions()
    with open(job["result"], "w") as f:  # not to a pipe: it can be long, and nobody reads until the end
        json.dump(out, f)


if __name__ == "__main__":
    child(json.loads(sys.stdin.readline()))
