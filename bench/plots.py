"""How the figures grow with the table, drawn."""
import os

TASKS = {"list": "list all files", "prune_stats": "files by statistics (10)", "prune_partition": "files of a partition (1 %)",
         "open": "open", "append_large": "add a file", "checkpoint": "write a checkpoint"}


def draw(rows, folder):
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    matplotlib.rcParams["svg.hashsalt"] = "deltalakedb"  # the same figures make the same file
    os.makedirs(folder, exist_ok=True)
    print("\n## Growth\n")
    for task, title in TASKS.items():
        lines = {}
        for r in rows:
            if r["task"] == task and "median_s" in r:
                name = r["peer"] + (f", {r['variant']}" if r.get("variant") in ("json", "checkpoint") else "")
                lines.setdefault(name, {})[r["n"]] = r["median_s"]
        lines = {name: points for name, points in lines.items() if len(points) > 1}
        if not lines:
            continue
        figure, axes = plt.subplots(figsize=(6, 3.6))
        for name, points in sorted(lines.items()):
            xs = sorted(points)
            own = name == "deltalakedb"
            axes.plot(xs, [points[x] for x in xs], marker="o", label=name, linewidth=2.5 if own else 1, zorder=3 if own else 2)
        axes.set(xscale="log", yscale="log", xlabel="files of the table", ylabel="seconds", title=title)
        axes.grid(True, alpha=0.3)
        axes.legend(fontsize=7)
        figure.tight_layout()
        figure.savefig(os.path.join(folder, f"{task}.svg"), metadata={"Date": None})
        plt.close(figure)
        print(f"![{title}]({os.path.relpath(os.path.join(folder, task + '.svg'))})")
