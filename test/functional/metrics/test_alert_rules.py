# SPDX-License-Identifier: BSD-2-Clause
"""The alerting rules, the dashboard of Grafana and the form of the metrics, judged by promtool: every rule fires on what it is for, says what its text promises, and is silent
beside it. No node runs here."""
import json
import os
import re
import shutil
import subprocess

import pytest

from paths import BUILD

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
RULES = os.path.join(TOP, "dist", "prometheus", "zonecast.rules.yml")
BOARD = os.path.join(TOP, "dist", "grafana", "zonecast.json")
pytestmark = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")

A, B = 'instance="a:8053",job="zonecast"', 'instance="b:8053",job="zonecast"'
SINCE = "zonecast_drift_zone_since_timestamp_seconds"
HOUR = "0+0x240"    # STEP each
ONE = "1+0x240"
STEP, AT = "30s", "20m"


def grows(by):
    return f"0+{by}x240"


def seen_as(state):
    """A family of a network at the node fra, from outside."""
    return {f'zonecast_node_info{{{A},node="fra",role="pop",fleet="f"}}': ONE, f'zonecast_view_outside_since_timestamp_seconds{{{A},network="n",family="ipv4"}}': HOUR,
            **{f'zonecast_view_outside{{{A},network="n",family="ipv4",state="{s}"}}': ONE if s == state else HOUR for s in ("unknown", "good", "silent", "filtered")}}


# Rule: series that make it fire at AT; the labels that the alert must have then; series beside which it is silent.
CASES = {
    "ZonecastMetricsMissing": ({f"up{{{A}}}": HOUR}, {"instance": "a:8053", "severity": "critical"}, {f"up{{{A}}}": ONE, 'up{instance="x",job="node"}': HOUR}),
    "ZonecastNoMetrics": ({'up{instance="x",job="node"}': ONE}, {"severity": "critical"}, {f"up{{{A}}}": HOUR}),
    "ZonecastNodeNotSeen": ({f'zonecast_peer_up{{{A},node="fra"}}': HOUR, f'zonecast_peer_up{{{B},node="fra"}}': HOUR}, {"node": "fra"},
                            {f'zonecast_peer_up{{{A},node="fra"}}': HOUR, f'zonecast_peer_up{{{B},node="fra"}}': ONE}),
    "ZonecastNodeSeenBySome": ({f'zonecast_peer_up{{{A},node="fra"}}': HOUR, f'zonecast_peer_up{{{B},node="fra"}}': ONE}, {"node": "fra"},
                               {f'zonecast_peer_up{{{A},node="fra"}}': HOUR, f'zonecast_peer_up{{{B},node="fra"}}': HOUR}),
    "ZonecastNodeSeesNobody": ({f'zonecast_peer_up{{{A},node="fra"}}': HOUR, f'zonecast_peer_up{{{A},node="ams"}}': HOUR}, {"instance": "a:8053"},
                               {f'zonecast_peer_up{{{A},node="fra"}}': HOUR, f'zonecast_peer_up{{{A},node="ams"}}': ONE}),
    "ZonecastNodeFamilyNotSeen": ({f'zonecast_peer_address_up{{{A},node="fra",family="ipv6"}}': HOUR, f'zonecast_peer_address_up{{{A},node="fra",family="ipv4"}}': ONE},
                                  {"node": "fra", "family": "ipv6"},
                                  {f'zonecast_peer_address_up{{{A},node="fra",family="ipv6"}}': HOUR, f'zonecast_peer_address_up{{{A},node="fra",family="ipv4"}}': HOUR}),
    "ZonecastOutside": (seen_as("filtered"), {"network": "n", "family": "ipv4", "state": "filtered", "node": "fra"}, seen_as("good")),
    "ZonecastOutsideSilent": (seen_as("silent"), {"network": "n", "family": "ipv4", "state": "silent", "node": "fra"},
                              {**seen_as("silent"), f'zonecast_view_outside{{{B},network="n",family="ipv4",state="filtered"}}': ONE}),
    "ZonecastZoneContentDiffers": ({f'{SINCE}{{{A},node="fra",network="n",zone="z.",kind="content"}}': HOUR, f'{SINCE}{{{B},node="fra",network="n",zone="z.",kind="content"}}': HOUR},
                                   {"node": "fra", "network": "n", "zone": "z.", "severity": "critical"}, {f'{SINCE}{{{A},node="fra",network="n",zone="z.",kind="stuck"}}': HOUR}),
    "ZonecastZoneStuck": ({f'{SINCE}{{{A},node="fra",network="n",zone="z.",kind="stuck"}}': HOUR}, {"node": "fra", "network": "n", "zone": "z."},
                          {f'{SINCE}{{{A},node="fra",network="n",zone="z.",kind="behind"}}': HOUR}),
    "ZonecastZoneMissing": ({f'{SINCE}{{{A},node="fra",network="n",zone="z.",kind="missing"}}': HOUR}, {"node": "fra", "zone": "z."},
                            {f'{SINCE}{{{A},node="fra",network="n",zone="z.",kind="stuck"}}': HOUR}),
    "ZonecastZoneBehind": ({f'{SINCE}{{{A},node="fra",network="n",zone="z.",kind="ahead"}}': HOUR}, {"node": "fra", "zone": "z.", "kind": "ahead"},
                           {f'{SINCE}{{{A},node="fra",network="n",zone="z.",kind="stuck"}}': HOUR}),
    "ZonecastManyZonesDrift": ({f'zonecast_drift_alerts{{{A},node="fra",kind="stuck"}}': "30+0x240", f'zonecast_drift_alerts{{{A},node="fra",kind="missing"}}': "21+0x240"},
                               {"node": "fra", "instance": "a:8053"}, {f'zonecast_drift_alerts{{{A},node="fra",kind="stuck"}}': "50+0x240"}),
    "ZonecastEndpointDown": ({f'zonecast_endpoint_up{{{A},pool="web",endpoint="a"}}': HOUR, f'zonecast_endpoint_up{{{B},pool="web",endpoint="a"}}': ONE},
                             {"pool": "web", "endpoint": "a"}, {f'zonecast_endpoint_up{{{A},pool="web",endpoint="a"}}': ONE}),
    "ZonecastPoolBelowKeep": ({f'zonecast_pool_below_keep{{{A},pool="web"}}': ONE, f'zonecast_pool_below_keep{{{B},pool="web"}}': HOUR}, {"pool": "web", "severity": "critical"},
                              {f'zonecast_pool_below_keep{{{A},pool="web"}}': HOUR}),
    "ZonecastPoolViewsDiffer": ({f'zonecast_pool_differ{{{A},pool="web"}}': "2+0x240"}, {"pool": "web"}, {f'zonecast_pool_differ{{{A},pool="web"}}': HOUR}),
    "ZonecastZonesFailing": ({f'zonecast_zones{{{A},state="failing"}}': "2+0x240"}, {"instance": "a:8053"}, {f'zonecast_zones{{{A},state="failing"}}': HOUR, f'zonecast_zones{{{A},state="serving"}}': ONE}),
    "ZonecastNetworkZonesMissing": ({f'zonecast_network_cause{{{A},network="n",family="ipv4",cause="zones"}}': ONE}, {"network": "n"},
                                    {f'zonecast_network_cause{{{A},network="n",family="ipv4",cause="stale"}}': ONE}),
    "ZonecastSignaturesEnd": ({f'zonecast_signatures_expiry_timestamp_seconds{{{A},network="n",zone="z."}}': "200000+0x240"}, {"zone": "z.", "severity": "warning"},
                              {f'zonecast_signatures_expiry_timestamp_seconds{{{A},network="n",zone="z."}}': "300000+0x240"}),
    "ZonecastSignaturesEndSoon": ({f'zonecast_signatures_expiry_timestamp_seconds{{{A},network="n",zone="z."}}': "80000+0x240"}, {"zone": "z.", "severity": "critical"},
                                  {f'zonecast_signatures_expiry_timestamp_seconds{{{A},network="n",zone="z."}}': "200000+0x240"}),
    "ZonecastZoneNearExpiry": ({f'zonecast_zone_expiry_timestamp_seconds{{{A},network="n",zone="z."}}': "9000+0x240"}, {"zone": "z."}, {f"up{{{A}}}": ONE}),
    "ZonecastZonesExpired": ({f'zonecast_secondary_zones{{{A},state="expired"}}': ONE}, {"instance": "a:8053"}, {f'zonecast_secondary_zones{{{A},state="held"}}': ONE}),
    "ZonecastTransfersFail": ({f'zonecast_secondary_zones{{{A},state="failing"}}': ONE}, {"instance": "a:8053"}, {f'zonecast_secondary_zones{{{A},state="serving"}}': ONE}),
    "ZonecastDataStale": ({f'zonecast_network_cause{{{A},network="n",family="ipv4",cause="stale"}}': ONE}, {"network": "n"},
                          {f'zonecast_network_cause{{{A},network="n",family="ipv4",cause="stale"}}': HOUR}),
    "ZonecastBackendsDown": ({f'zonecast_backend_up{{{A},pool="p",server="s"}}': HOUR, f'zonecast_backend_up{{{A},pool="p",server="t"}}': HOUR}, {"pool": "p"},
                             {f'zonecast_backend_up{{{A},pool="p",server="s"}}': HOUR, f'zonecast_backend_up{{{A},pool="p",server="t"}}': ONE}),
    "ZonecastBackendDown": ({f'zonecast_backend_up{{{A},pool="p",server="s"}}': HOUR, f'zonecast_backend_up{{{A},pool="p",server="t"}}': ONE}, {"pool": "p", "server": "s"},
                            {f'zonecast_backend_up{{{A},pool="p",server="s"}}': HOUR, f'zonecast_backend_up{{{A},pool="q",server="t"}}': ONE}),
    "ZonecastBackendLoop": ({f'zonecast_backend_loop{{{A},pool="p",server="s"}}': ONE}, {"server": "s"}, {f'zonecast_backend_loop{{{A},pool="p",server="s"}}': HOUR}),
    "ZonecastBackendsStale": ({f'zonecast_network_cause{{{A},network="n",family="ipv4",cause="backends"}}': ONE}, {"network": "n"},
                              {f'zonecast_network_cause{{{A},network="n",family="ipv4",cause="stale"}}': ONE}),
    "ZonecastBackendQuestionsFail": ({f'zonecast_backend_client_questions_total{{{A},result="failed"}}': grows(1)}, {"instance": "a:8053"},
                                     {f'zonecast_backend_client_questions_total{{{A},result="failed"}}': ONE}),
    "ZonecastBgpDown": ({f'zonecast_bgp_up{{{A},neighbor="r"}}': HOUR, f'zonecast_bgp_drained{{{A},neighbor="r"}}': HOUR}, {"neighbor": "r"},
                        {f'zonecast_bgp_up{{{A},neighbor="r"}}': HOUR, f'zonecast_bgp_drained{{{A},neighbor="r"}}': ONE}),
    "ZonecastBgpAllDown": ({f'zonecast_bgp_up{{{A},neighbor="r"}}': HOUR, f'zonecast_bgp_up{{{A},neighbor="s"}}': HOUR}, {"instance": "a:8053"},
                           {f'zonecast_bgp_up{{{A},neighbor="r"}}': HOUR, f'zonecast_bgp_up{{{A},neighbor="s"}}': ONE}),
    "ZonecastBgpFlapping": ({f'zonecast_bgp_established_total{{{A},neighbor="r"}}': grows(1)}, {"neighbor": "r"}, {f'zonecast_bgp_established_total{{{A},neighbor="r"}}': ONE}),
    "ZonecastBfdFlapping": ({f'zonecast_bfd_falls_total{{{A},neighbor="r"}}': grows(1)}, {"neighbor": "r"}, {f'zonecast_bfd_falls_total{{{A},neighbor="r"}}': ONE}),
    "ZonecastNetworkFlapping": ({f'zonecast_network_flaps{{{A},network="n",family="ipv6"}}': "3+0x240"}, {"family": "ipv6"}, {f'zonecast_network_flaps{{{A},network="n",family="ipv6"}}': "2+0x240"}),
    "ZonecastBgpTooManyPrefixes": ({f'zonecast_bgp_over_max_prefixes{{{A},neighbor="r"}}': ONE}, {"neighbor": "r"}, {f'zonecast_bgp_over_max_prefixes{{{A},neighbor="r"}}': HOUR}),
    "ZonecastChecksFail": ({f'zonecast_network_verdict{{{A},network="n",family="ipv4",verdict="hard-fail"}}': ONE}, {"network": "n", "family": "ipv4"},
                           {f'zonecast_network_verdict{{{A},network="n",family="ipv4",verdict="soft-fail"}}': ONE}),
    "ZonecastOneFamilyFails": ({f'zonecast_network_verdict{{{A},network="n",family="ipv6",verdict="hard-fail"}}': ONE, f'zonecast_network_verdict{{{A},network="n",family="ipv4",verdict="pass"}}': ONE},
                               {"network": "n", "family": "ipv6"},
                               {f'zonecast_network_verdict{{{A},network="n",family="ipv6",verdict="hard-fail"}}': ONE, f'zonecast_network_verdict{{{A},network="n",family="ipv4",verdict="hard-fail"}}': ONE,
                                f'zonecast_network_verdict{{{A},network="n",family="ipv4",verdict="pass"}}': HOUR}),
    "ZonecastWithdrawn": ({f'zonecast_network_announce{{{A},network="n",family="ipv4",state="withdrawn"}}': ONE}, {"network": "n", "family": "ipv4"},
                          {f'zonecast_network_announce{{{A},network="n",family="ipv4",state="withdrawn"}}': ONE, f'zonecast_network_order{{{A},network="n",order="drain"}}': ONE}),
    "ZonecastNowhereAnnounced": ({f'zonecast_network_announce{{{A},network="n",family="ipv4",state="announced"}}': HOUR, f'zonecast_network_announce{{{B},network="n",family="ipv4",state="announced"}}': HOUR,
                                  f'zonecast_network_announce{{{A},network="n",family="ipv4",state="withdrawn"}}': ONE}, {"network": "n", "family": "ipv4"},
                                 {f'zonecast_network_announce{{{A},network="n",family="ipv4",state="announced"}}': HOUR, f'zonecast_network_announce{{{B},network="n",family="ipv4",state="de-preferred"}}': ONE}),
    "ZonecastRpkiInvalid": ({f'zonecast_rpki_origins{{{A},network="n",state="invalid"}}': ONE}, {"network": "n"},
                            {f'zonecast_rpki_origins{{{A},network="n",state="valid"}}': ONE, f'zonecast_rpki_origins{{{A},network="n",state="invalid"}}': HOUR}),
    "ZonecastRpkiCachesDown": ({f'zonecast_rpki_cache_up{{{A},cache="c"}}': HOUR}, {"instance": "a:8053"},
                               {f'zonecast_rpki_cache_up{{{A},cache="c"}}': HOUR, f'zonecast_rpki_cache_up{{{A},cache="d"}}': ONE}),
    "ZonecastHijack": ({f'zonecast_hijack_info{{{A},prefix="192.0.2.0/25",origin="666",neighbor="r"}}': ONE}, {"prefix": "192.0.2.0/25", "origin": "666"}, {f"zonecast_hijacks{{{A}}}": HOUR}),
    "ZonecastOverload": ({f'zonecast_network_cause{{{A},network="n",family="ipv4",cause="overload"}}': ONE}, {"instance": "a:8053"},
                         {f'zonecast_network_cause{{{A},network="n",family="ipv4",cause="overload"}}': HOUR}),
    "ZonecastQueriesLost": ({f"zonecast_socket_overflows_total{{{A}}}": grows(9)}, {"instance": "a:8053"}, {f"zonecast_socket_overflows_total{{{A}}}": ONE}),
    "ZonecastHeadroomLow": ({f"zonecast_load_ratio{{{A}}}": "0.9+0x240"}, {"instance": "a:8053"}, {f"zonecast_load_ratio{{{A}}}": "0.7+0x240"}),
    "ZonecastProcessDown": ({f'zonecast_process_up{{{A},role="sync",index="0"}}': HOUR}, {"role": "sync"}, {f'zonecast_process_up{{{A},role="sync",index="0"}}': ONE}),
    "ZonecastProcessRestarting": ({f'zonecast_process_starts_total{{{A},role="answer",index="1"}}': grows(1)}, {"role": "answer", "index": "1"},
                                  {f'zonecast_process_starts_total{{{A},role="answer",index="1"}}': "1+0x60 2+0x180"}),
    "ZonecastDiskFailed": ({f"zonecast_history_failed_total{{{A}}}": grows(1)}, {"instance": "a:8053"}, {f"zonecast_journal_failed_total{{{A}}}": ONE}),
    "ZonecastStoreDamaged": ({f"zonecast_store_damaged{{{A}}}": ONE}, {"instance": "a:8053"}, {f"zonecast_store_damaged{{{A}}}": HOUR}),
    "ZonecastCertificateEnds": ({f"zonecast_tls_certificate_expiry_timestamp_seconds{{{A}}}": "1000000+0x240"}, {"instance": "a:8053"},
                                {f"zonecast_tls_certificate_expiry_timestamp_seconds{{{A}}}": "2000000+0x240"}),
    "ZonecastReloadRefused": ({f"zonecast_fleet_file_refused{{{A}}}": ONE}, {"instance": "a:8053"}, {f"zonecast_fleet_file_refused{{{A}}}": HOUR}),
    "ZonecastFleetFilesDiffer": ({f'zonecast_peer_same_config{{{A},node="fra"}}': HOUR, f'zonecast_peer_same_config{{{B},node="fra"}}': ONE}, {"node": "fra"},
                                 {f'zonecast_peer_same_config{{{A},node="fra"}}': ONE}),
}


def promtool(*args, stdin=None):
    # `test rules` makes a database for each test, and syncs it.
    env = dict(os.environ, TMPDIR="/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    return subprocess.run(["promtool", *args], input=stdin, capture_output=True, text=True, timeout=300, check=False, env=env)


def rule_names():
    with open(RULES, encoding="utf-8") as f:
        return re.findall(r"^  - alert: (\w+)$", f.read(), re.MULTILINE)


def families():
    """Name to type and labels, as the program knows them."""
    with open(os.path.join(TOP, "src", "admin", "metrics_table.c"), encoding="utf-8") as f:
        text = f.read()
    found = re.findall(r'\{\s*"(zonecast_\w+)",\s*METRIC_(\w+),\s*"([^"]*)"', text)
    assert len(found) > 100
    return {name: (kind.lower(), [label.strip() for label in labels.split(",")] if labels else []) for name, kind, labels in found}


def names_in(expr):
    """What an expression asks for, histograms by their family; label names and functions are not `zonecast_`."""
    return {re.sub(r"_(bucket|sum|count)$", "", n) for n in re.findall(r"\bzonecast_\w+", expr)}


def labels_in(expr):
    """Pairs of a metric and a label that is asked of it."""
    return [(re.sub(r"_(bucket|sum|count)$", "", n), label) for n, inner in re.findall(r"\b(zonecast_\w+)\{([^}]*)\}", expr) for label in re.findall(r"(\w+)\s*(?:=|!)", inner)]


def check_expression(expr, known):
    for name in names_in(expr):
        assert name in known, f"{name} is no metric: {expr}"
    for name, label in labels_in(expr):
        assert label in known[name][1] + ["instance", "job", "le"], f"{name} has no label {label}: {expr}"


def test_rules_are_good():
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(rule_names()) == sorted(CASES), "a rule without a case, or a case without a rule"
    with open(RULES, encoding="utf-8") as f:
        text = f.read()
    known = families()
    for expr in re.findall(r"^    expr: '(.*)'$", text, re.MULTILINE):
        check_expression(expr.replace("''", "'"), known)
    assert text.count("    expr: '") == len(CASES) == text.count("severity: ") == text.count("      summary: ")
    pages = re.findall(r"doc/howto/([a-z-]+)\.md", text)
    assert len(pages) == len(CASES)
    for page in pages + re.findall(r"/ui/([a-z-]+)\.md", text):
        assert os.path.exists(os.path.join(TOP, "doc", "howto", f"{page}.md")), page


def write_tests(path, rules, tests):
    """JSON is YAML."""
    path.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": STEP, "tests": tests}, indent=1))
    return str(path)


def rules_apart(folder):
    """Each rule in a file of its own: promtool evaluates all that a file has for each test."""
    with open(RULES, encoding="utf-8") as f:
        text = re.sub(r"^(#.*|groups:|- name: .*|  rules:)\n", "", f.read(), flags=re.MULTILINE)
    for rule in text.split("  - alert: ")[1:]:
        name = rule.split("\n", 1)[0]
        (folder / f"{name}.yml").write_text(f"groups:\n- name: one\n  rules:\n  - alert: {rule}")
        yield name, folder / f"{name}.yml"


def test_each_fires_and_is_silent(tmp_path):
    files = []
    for alert, rules in rules_apart(tmp_path):
        fires, labels, silent = CASES[alert]
        tests = []
        for series, samples in ((fires, True), (silent, False)):
            wanted = "".join(f',{k}="{v}"' for k, v in labels.items()) if samples else ""
            expr = f'count(ALERTS{{alertname="{alert}",alertstate="firing"{wanted}}})'
            tests.append({"interval": STEP, "name": f"{alert} {'fires' if samples else 'is silent'}", "input_series": [{"series": s, "values": v} for s, v in series.items()],
                          "promql_expr_test": [{"expr": expr, "eval_time": AT, "exp_samples": [{"labels": "{}", "value": 1}] if samples else []}]})
        files.append(write_tests(tmp_path / f"{alert}.json", rules, tests))
    assert len(files) == len(CASES)
    done = promtool("test", "rules", *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_case_is_noticed(tmp_path):
    """That the test above can fail."""
    path = write_tests(tmp_path / "tests.json", RULES, [
        {"interval": STEP, "input_series": [{"series": f"up{{{A}}}", "values": ONE}],
         "promql_expr_test": [{"expr": 'count(ALERTS{alertname="ZonecastMetricsMissing"})', "eval_time": "2m", "exp_samples": [{"labels": "{}", "value": 1}]}]}])
    assert promtool("test", "rules", path).returncode != 0


def test_texts_are_filled_in(tmp_path):
    """Summary and description as people get them: labels and the value are in them."""
    series = [{"series": f'{SINCE}{{{A},node="fra",network="n",zone="z.",kind="stuck"}}', "values": HOUR}]
    exp = {"exp_labels": {"severity": "critical", "node": "fra", "network": "n", "zone": "z."},
           "exp_annotations": {"summary": "z. at fra is behind and does not move",
                               "description": "For 5m 0s. Other zones may be fine: its transfers fail or are refused there.", "runbook": "doc/howto/drift.md"}}
    path = write_tests(tmp_path / "tests.json", RULES,
                       [{"interval": STEP, "input_series": series, "alert_rule_test": [{"eval_time": "5m", "alertname": "ZonecastZoneStuck", "exp_alerts": [exp]}]}])
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("which", ["--print", "--full"])
def test_promtool_finds_nothing(which):
    """Of a board with something of everything, and of one in which everything is full."""
    text = subprocess.run([os.path.join(BUILD, "test", "unit", "test_metrics"), which], capture_output=True, text=True, timeout=60, check=True).stdout
    assert text.count("\n") > 500
    done = promtool("check", "metrics", stdin=text)
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr


# ---- Grafana ----

def panels(of):
    for p in of["panels"]:
        yield p
        yield from panels(p) if p.get("panels") else ()


def test_grafana(tmp_path):
    with open(BOARD, encoding="utf-8") as f:
        board = json.load(f)
    known, exprs, ids, asked = families(), [], [], set()
    for p in panels(board):
        ids.append(p["id"])
        assert p["title"] or p["type"] == "row"
        for target in p.get("targets", []):
            assert target["datasource"]["uid"] == "${source}"
            exprs.append(target["expr"])
    for v in board["templating"]["list"]:
        if v["type"] == "query":
            asked |= names_in(v["query"]["query"])
    assert len(ids) == len(set(ids)) and len(exprs) > 25
    rules = []
    for i, expr in enumerate(exprs):
        plain = expr.replace("$__rate_interval", "1m")
        plain = re.sub(r"\$\{?\w+(:\w+)?\}?", "x", plain)
        check_expression(plain, known)
        rules.append({"record": f"grafana:expr{i}", "expr": plain})
    assert asked <= set(known)
    path = tmp_path / "exprs.json"
    path.write_text(json.dumps({"groups": [{"name": "grafana", "rules": rules}]}))
    done = promtool("check", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
