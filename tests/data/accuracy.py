"""Prints how accurate every recommendation method is, with paired bootstrap intervals over users.

    python tests/data/complete_journey.py CJ
    python tests/data/accuracy.py --mercer target/release/mercer [--beauty FOLDER] [--journey CJ]
                                  [--algorithms all] [--only NAME,...] [--threads N]

FOLDER holds train.csv and test.csv (user_id, item_id, timestamp) of which the last item of each
user is the test: the Amazon "Beauty" reviews of 2014 where everybody has five or more. CJ is what
complete_journey.py wrote. Nothing is tuned here: half-lives and weights come from the training files,
by the split that each case names. Needs only the standard library.
"""

import argparse
import json
import pathlib
import subprocess

LAST = ["--learn-split", "last-item"]
WEEKS = ["--learn-split", "time:28"]


def cases(beauty, journey):
    """Name, what it measures, arguments."""
    if beauty:
        yield (
            "beauty",
            "Amazon Beauty, last item of each user",
            ["--train", beauty / "train.csv", "--test", beauty / "test.csv", *LAST],
        )
    if journey:
        train = ["--train", journey / "train.csv"]
        items = ["--items", journey / "items.csv"]
        yield (
            "repeats",
            "The Complete Journey, last 4 weeks, repeats allowed",
            [*train, "--test", journey / "test.csv", "--seen", "include", *items, *WEEKS],
        )
        yield (
            "new",
            "The Complete Journey, last 4 weeks, only items new to the household",
            [*train, "--test", journey / "test_new.csv", *items, *WEEKS],
        )
        yield (
            "last",
            "The Complete Journey, last visit of each household before, only new items",
            [*train, "--split", "last-item", *items],
        )


def row(result, k, reference):
    of = lambda name: result[name][k]
    difference = result.get("ndcg_difference")
    interval = (
        f"{difference['mean']:+.4f} ({difference['low']:+.4f} {difference['high']:+.4f})"
        if difference
        else "" if reference else "-"
    )
    candidates = result.get("candidate_recall")
    recency = result["recency"]
    half_lives = [
        f"{recency[name]:g} {unit}"
        for name, unit in [("rank_half_life", "visits"), ("age_half_life_days", "days")]
        if recency[name]
    ]
    return [
        result["algorithm"],
        f"{of('recall'):.4f}",
        f"{of('ndcg'):.4f}",
        interval,
        f"{of('hit_rate'):.4f}",
        f"{of('coverage'):.3f}",
        f"{of('gini'):.3f}",
        f"{of('novelty'):.2f}",
        "" if candidates is None else f"{candidates:.3f}",
        ", ".join(half_lives),
        f"{result['train_seconds']:.1f}",
        f"{result['score_seconds']:.1f}",
    ]


def table(headers, rows):
    yield "| " + " | ".join(headers) + " |"
    yield "|" + "---|" * len(headers)
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--mercer", default="target/release/mercer")
    arguments.add_argument("--beauty", type=pathlib.Path)
    arguments.add_argument("--journey", type=pathlib.Path)
    arguments.add_argument("--algorithms", default="all")
    arguments.add_argument("--only", help="names of cases: beauty, repeats, new, last")
    arguments.add_argument("--threads", default="0")
    arguments.add_argument("--set", default="", help="passed on to mercer")
    options = arguments.parse_args()

    for name, title, what in cases(options.beauty, options.journey):
        if options.only and name not in options.only.split(","):
            continue
        command = [options.mercer, "evaluate", "recommend", *what, "--learn", "--at", "20"]
        command += ["--algorithms", options.algorithms, "--threads", options.threads]
        command += ["--set", options.set] if options.set else []
        command += ["--output", "json"]
        command = [str(part) for part in command]
        print(f"## {title}\n\n`{' '.join(command)}`\n", flush=True)
        answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(f"{answer['test_users']:,} users, {answer['items']:,} items\n")
        compared = answer["compared"]
        headers = ["method", "R@20", "N@20", f"N@20 - {compared['algorithm']} (95 %)", "hit rate"]
        headers += ["coverage", "Gini", "novelty", "candidates", "half-life", "train s", "score s"]
        results = sorted(answer["results"], key=lambda result: -result["ndcg"]["20"])
        print("\n".join(table(headers, [row(result, "20", compared) for result in results])))
        groups = {
            "history": ("by_activity", "events"),
            "age of the wanted item": ("by_item_age", "days"),
        }
        for group, (field, unit) in groups.items():
            of_all = [(result, result.get(field, [])) for result in results]
            if of_all and of_all[0][1]:
                headers = [f"R@20 by {group}"]
                headers += [f"{part['from']}-{part['to']} {unit}" for part in of_all[0][1]]
                rows = (
                    [result["algorithm"], *(f"{part['recall']['20']:.4f}" for part in parts)]
                    for result, parts in of_all
                )
                print("\n" + "\n".join(table(headers, rows)))
        print(f"\n{json.dumps(answer.get('hybrid'))}\n", flush=True)


if __name__ == "__main__":
    main()
