# SPDX-License-Identifier: BSD-2-Clause
"""Tables and JSON lines of what was measured, and where zonecast loses."""
import json
import statistics

from measure import LIMIT_MIN, MEASURES
from peers import SERVERS

OURS = ("zonecast-of-knot", "zonecast-front", "zonecast-front-xdp", "zonecast", "zonecast-xdp-kept", "zonecast-af-xdp", "zonecast-xdp")
SHOWN = {
    "load": ("cold_first_s", "cold_s", "cold_cpu_s", "warm_first_s", "warm_s", "warm_cpu_s", "memory_mib", "octets_per_record"),
    "change": ("change_ms", "change_cpu_ms"),
    "latency": ("rate", "p50_us", "p99_us", "p999_us", "lost", "cpu_ns"),
    "paced": ("cpu_ns", "p50_us", "p99_us", "p999_us", "lost"),
    "instructions": ("instructions",),
    "filled": ("memory_mib", "empty_mib", "octets_per_entry", "lost"),
    "axfr": ("axfr_s", "axfr_cpu_s", "idle_p99_us", "p99_us", "stolen_ms"),
    "ixfr": ("ixfr_ms", "ixfr_most_ms", "idle_p99_us", "p99_us"),
    "changes": ("changed_ms", "changed_most_ms", "stored_ms", "travel_ms", "idle_p99_us", "p99_us"),
}
SHOWN_QUERIES = ("cpu_ns", "qps", "busy", "lost", "octets", "p99_us")
# What a row is judged by: the figures that repeat.
JUDGED = {
    "load": ("cold_s", "warm_first_s", "warm_s", "octets_per_record"),
    "change": ("change_ms", "change_cpu_ms"),
    "latency": ("p50_us", "p99_us", "p999_us"),
    "paced": ("cpu_ns", "p99_us"),
    "instructions": ("instructions",),
    "filled": ("octets_per_entry",),
    "axfr": ("axfr_s", "axfr_cpu_s"),
    "ixfr": ("ixfr_ms",),
    "changes": ("changed_ms",),
}
JUDGED_QUERIES = ("cpu_ns",)


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values):
    low, middle, high = min(values), statistics.median(values), max(values)
    return number(middle) if number(low) == number(high) else f"{number(low)} / {number(middle)} / {number(high)}"


class Results:
    def __init__(self):
        self.rows = {}     # row name: row
        self.values = {}   # row name: server: measure: values, one a round
        self.failures = []

    def add(self, row, server, measures):
        self.rows[row.name] = row
        of = self.values.setdefault(row.name, {}).setdefault(server, {})
        for name, value in measures.items():
            of.setdefault(name, []).append(value)

    def fail(self, row, server, why):
        self.failures.append((row, server, why))

    def median(self, row, server, measure):
        values = self.values[row].get(server, {}).get(measure)
        return statistics.median(values) if values else None

    def floor(self, row, measure):
        if measure != "cpu_ns":
            return None
        return self.median(row, "reflect" if self.rows[row].is_napi else "echo", measure)

    def table(self):
        """Markdown: a table for each row."""
        for row, servers in self.values.items():
            kind = self.rows[row].kind
            shown = SHOWN.get(kind, SHOWN_QUERIES)
            judged = JUDGED.get(kind, JUDGED_QUERIES)[0]
            yield ""
            yield f"**{row}** (min / median / max; {self.rows[row].what})"
            yield ""
            yield "| server | n | " + " | ".join(f"{m}" for m in shown) + " | to floor | zonecast to it |"
            yield "|---|---|" + "---|" * len(shown) + "---|---|"
            for name in sorted(servers, key=lambda s: list(SERVERS).index(s)):
                cells = [spread(servers[name][m]) if servers[name].get(m) else "" for m in shown]
                mine, floor = self.median(row, name, judged), self.floor(row, judged)
                cells.append(f"{mine / floor:.2f}" if mine and floor else "")
                ours = self.median(row, self.ours(row), judged) if self.ours(row) else None
                cells.append(f"{ours / mine:.2f}" if ours and mine and name != self.ours(row) else "")
                bad = max(servers[name].get("wrong", [0])) or max(servers[name].get("failed", [0]))
                mark = f" (WRONG {bad:.1%})" if bad > 0.0005 else " (disturbed)" if statistics.median(servers[name].get("limit", [1])) < LIMIT_MIN else ""
                yield f"| {name}{mark} | {max(len(v) for v in servers[name].values())} | " + " | ".join(cells) + " |"

    def ours(self, row):
        return next((name for name in reversed(OURS) if name in self.values[row]), None)

    def verdicts(self):
        """(row, measure, ours, best peer, its value, ratio); a ratio above 1 is a loss."""
        for row, servers in self.values.items():
            peers = [s for s in servers if s not in OURS and not SERVERS[s].floor]
            ours = self.ours(row)
            for measure in JUDGED.get(self.rows[row].kind, JUDGED_QUERIES):
                mine = self.median(row, ours, measure) if ours else None
                theirs = {p: self.median(row, p, measure) for p in peers}
                theirs = {p: v for p, v in theirs.items() if v}
                if mine and theirs:
                    best = min(theirs, key=theirs.get)
                    yield row, measure, mine, best, theirs[best], mine / theirs[best]

    def judgement(self):
        verdicts = sorted(self.verdicts(), key=lambda v: -v[5])
        for title, some in (("Where zonecast loses to the best peer", [v for v in verdicts if v[5] > 1.03]),
                            ("Level with the best peer, within 3%", [v for v in verdicts if 0.97 <= v[5] <= 1.03]),
                            ("Where zonecast is better than every peer", [v for v in verdicts if v[5] < 0.97][::-1])):
            yield ""
            yield f"**{title}**" + ("" if some else ": nowhere")
            for row, measure, mine, best, theirs, ratio in some:
                yield f"- {row} {measure}: {number(mine)} {MEASURES[measure][0]}, {best} {number(theirs)}; x{ratio:.2f}"
        if self.failures:
            yield ""
            yield "**Not measured**"
            for row, server, why in self.failures:
                yield f"- {row}, {server}: {why}"

    def lines(self, head):
        """JSON lines: the head, then one for each figure."""
        yield json.dumps({"head": head, "measures": {k: {"unit": v[0], "what": v[1], "less_is_better": v[2]} for k, v in MEASURES.items()}})
        for row, servers in self.values.items():
            for server, measures in servers.items():
                for measure, values in measures.items():
                    middle = statistics.median(values)
                    line = {"row": row, "server": server, "measure": measure, "unit": MEASURES[measure][0], "median": round(middle, 4),
                            "min": round(min(values), 4), "max": round(max(values), 4), "rounds": len(values)}
                    floor = self.floor(row, measure)
                    if floor:
                        line["ratio_to_floor"] = round(middle / floor, 4)
                    if server in OURS:
                        for peer in servers:
                            other = self.median(row, peer, measure)
                            if peer != server and other and not SERVERS[peer].floor:
                                line["ratio_to_" + peer] = round(middle / other, 4)
                    yield json.dumps(line)
        for row, server, why in self.failures:
            yield json.dumps({"row": row, "server": server, "not_measured": why})
