# SPDX-License-Identifier: BSD-2-Clause
"""The command line without a running node: help, version, check, zone check, exit statuses."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading

import pytest

TOP = pathlib.Path(__file__).resolve().parents[3]
ZONECAST = os.environ.get('ZONECAST', str(TOP / 'build' / 'zonecast'))


def run(*args, status=0, **kw):
    """Runs zonecast with args, checks its exit status, returns (stdout, stderr)."""
    p = subprocess.run([ZONECAST, *map(str, args)], capture_output=True, text=True, timeout=60, **kw)
    assert p.returncode == status, f'{args}: exit {p.returncode}\n{p.stdout}\n{p.stderr}'
    return p.stdout, p.stderr


@pytest.fixture
def fleet(tmp_path):
    """The shipped example with secrets made for it."""
    shutil.copytree(TOP / 'examples', tmp_path / 'fleet')
    secrets = tmp_path / 'fleet' / 'secrets'
    secrets.mkdir()
    for name in ('bgp-fra.key', 'transfer.key'):
        (secrets / name).write_text('c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\n')
        (secrets / name).chmod(0o600)
    return tmp_path / 'fleet' / 'fleet.yaml'


def verbs():
    out, _ = run('help')
    return [line.split()[0] for line in out.splitlines() if line.startswith('  ')]


def test_help_lists_verbs_and_each_has_text():
    names = verbs()
    assert {'run', 'check', 'zone', 'version', 'help'} <= set(names)
    assert 'role' not in names
    for name in names:
        out, _ = run('help', name)
        assert out.startswith('usage: zonecast ' + name), name
        assert run(name, '--help')[0], name
    for sub in ('check', 'list', 'show', 'reload'):
        assert run('help', 'zone', sub)[0].startswith('usage: zonecast zone ' + sub)
    assert 'check' in run('zone', '--help')[0]


def test_each_verb_is_in_the_manual_and_in_completion():
    manual = (TOP / 'doc/man/zonecast.1.scd').read_text()
    completion = (TOP / 'dist/completion/zonecast.bash').read_text()
    for name in verbs():
        assert f'*{name}*' in manual, name
        assert name in completion.split('verbs="')[1].split('"')[0].split(), name


@pytest.mark.parametrize('args, want', [
    ((), 'usage: zonecast VERB'),
    (('chek',), 'did you mean "zonecast check"?'),
    (('qqqq',), 'no command "qqqq"'),
    (('zone',), 'usage: zonecast zone VERB'),
    (('zone', 'chek'), 'did you mean "zonecast zone check"?'),
    (('help', 'versoin'), 'did you mean "zonecast version"?'),
    (('help', 'check', 'x'), 'no commands of its own'),
    (('version', '--jsno'), 'did you mean "--json"?'),
    (('version', '-x'), 'no option "-x"'),
    (('version', 'now'), '"now" is one word too many'),
    (('version', '--json=yes'), 'takes no value'),
    (('check', '--config'), 'option "--config" needs a value'),
    (('check', '--conifg', 'x'), 'did you mean "--config"?'),
    (('zone', 'check'), 'something is missing'),
    (('zone', 'check', 'a..b'), 'which zone is this?'),
    (('zone', 'check', 'x', 'a..b'), '"a..b" is no domain name'),
])
def test_usage(args, want):
    out, err = run(*args, status=2)
    assert want in err and out == ''


def test_version():
    out, _ = run('version')
    version = out.split()[1]
    v = json.loads(run('version', '--json')[0])
    assert v['version'] == version and {'libuv', 'openssl', 'libyaml', 'jansson'} <= set(v['libraries'])
    assert run('--version')[0] == out


def test_check_good(fleet):
    out, err = run('check', '--config', fleet)
    assert out.startswith(f'{fleet}: good: 1 networks, 3 nodes, 1 keys, 3 zones') and err == ''
    v = json.loads(run('check', '--config', fleet, '--json')[0])
    assert v['errors'] == 0 and v['problems'] == [] and v['zones'] == 3
    run('check', '--config', fleet, '--node', 'fra')
    _, err = run('check', '--config', fleet, '--node', 'ham', status=1)
    assert 'no node is named "ham"' in err


def test_check_relative_path(fleet):
    run('check', '--config', 'fleet.yaml', cwd=fleet.parent)


def test_check_broken(fleet):
    fleet.write_text(fleet.read_text().replace('keep-at-least: 1', 'keep-at-lest: 1'))
    out, err = run('check', '--config', fleet, status=1)
    line = fleet.read_text().splitlines().index('    keep-at-lest: 1') + 1
    assert out == ''
    assert err.splitlines()[0] == (f'{fleet}:{line}:5: error: unknown key "keep-at-lest" in a network: '
                                   'did you mean "keep-at-least"?')
    out, _ = run('check', '--config', fleet, '--json', status=1)
    v = json.loads(out)
    assert v['errors'] == 1
    assert v['problems'][0] | {'text': ''} == {'severity': 'error', 'file': str(fleet), 'line': line, 'column': 5, 'text': ''}


def test_check_files(fleet):
    (fleet.parent / 'secrets' / 'transfer.key').chmod(0o644)
    (fleet.parent / 'zones' / 'example.net.zone').unlink()
    zone = fleet.parent / 'zones' / 'example.com.zone'
    zone.write_text(zone.read_text() + 'bad IN A 192.0.2.256\n')
    _, err = run('check', '--config', fleet, status=1)
    assert 'others may read this secret (mode 0644)' in err
    assert 'example.net.zone: No such file' in err
    line = len(zone.read_text().splitlines())
    assert f'{zone}:{line}:' in err
    assert f'{zone}:{line}:' not in run('check', '--config', fleet, '--no-zones', status=1)[1]
    _, err = run('check', '--config', fleet.parent / 'none.yaml', status=1)
    assert 'No such file' in err


def test_zone_check(fleet):
    zone = fleet.parent / 'zones' / 'example.com.zone'
    out, _ = run('zone', 'check', zone)
    assert 'good: example.com. serial 2026112001' in out
    v = json.loads(run('zone', 'check', zone, '--json')[0])
    assert v['zone'] == 'example.com.' and v['serial'] == 2026112001 and v['errors'] == 0
    # by its name in the fleet file
    assert run('zone', 'check', 'example.com', '--config', fleet)[0].startswith(str(zone))
    _, err = run('zone', 'check', 'example.invalid', '--config', fleet, status=1)
    assert 'no zone with a file of that name' in err
    # a wrong origin: records are outside
    assert run('zone', 'check', zone, 'example.org', status=1)[1]
    zone.write_text(zone.read_text().replace('2001:db8:80::80', '2001:db8::80::80'))
    out, err = run('zone', 'check', zone, status=1)
    assert out == '' and f'{zone}:' in err and 'not fit to serve' in err
    assert json.loads(run('zone', 'check', zone, '--json', status=1)[0])['errors'] == 1


def test_zone_check_print_is_a_fixed_point(fleet):
    for zone in sorted((fleet.parent / 'zones').iterdir()):
        once, _ = run('zone', 'check', zone, '--print')
        again = fleet.parent / zone.name
        again.write_text(once)
        twice, _ = run('zone', 'check', again, '--print')
        assert once == twice and once.split()[3] == 'SOA'


def test_no_node_runs(tmp_path):
    _, err = run('reload', '--run-dir', tmp_path, status=1)
    assert f'nobody listens on {tmp_path}/control.sock' in err


def test_run_dir_comes_from_a_broken_file(tmp_path):
    config = tmp_path / 'fleet.yaml'
    config.write_text(f'fleet: f\nrun-dir: {tmp_path}/here\nnodes: [[[\n')
    _, err = run('reload', '--config', config, status=1)
    assert f'nobody listens on {tmp_path}/here/control.sock' in err


@pytest.mark.parametrize('reply, want', [
    (b'{"ok": false, "error": "no such thing", "problems": ["f:1:2: error: x"]}\n', 'f:1:2: error: x\nzonecast: no such thing'),
    (b'[]\n', 'is not a JSON object'),
    (b'{"ok"\n', 'is not a JSON object'),
    (b'{"ok": true', 'input ends too early'),
    (b'', 'went away before it did'),
    (b'{"ok": false, "error": "x", "again": true}\n', 'went away before it did'),
])
def test_strange_replies(tmp_path, reply, want):
    """A control socket that answers anything: the client says what is wrong."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / 'control.sock'))
        s.listen(8)
        got = []

        def serve():
            while True:
                c, _ = s.accept()
                with c:
                    line = c.makefile('rb').readline()
                    if not line:
                        return
                    got.append(line)
                    c.sendall(reply)

        t = threading.Thread(target=serve)
        t.start()
        _, err = run('reload', '--run-dir', tmp_path, status=1)
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(str(tmp_path / 'control.sock'))
        t.join()
    assert want in err and all(json.loads(line) == {'command': 'reload'} for line in got)
    # Asked again only where a process is just being restarted.
    assert len(got) > 1 if 'went away' in want else len(got) == 1


def test_layers(tmp_path):
    """The layer check finds what it is for."""
    tool = TOP / 'tools' / 'check-layers'
    assert subprocess.run([tool], capture_output=True).returncode == 0
    (tmp_path / 'src/low').mkdir(parents=True)
    (tmp_path / 'src/high').mkdir()
    (tmp_path / 'meson.build').write_text("mods = [\n    ['low', [], []],\n    ['high', ['low'], ['x']],\n]\n")
    (tmp_path / 'src/high/a.c').write_text('#include "high/a.h"\n#include "low/b.h"\n#include <stdio.h>\n')
    assert subprocess.run([tool, tmp_path], capture_output=True).returncode == 0
    (tmp_path / 'src/low/b.c').write_text('\n#include "high/a.h"\n')
    p = subprocess.run([tool, tmp_path], capture_output=True, text=True)
    assert p.returncode == 1 and p.stdout == 'src/low/b.c:2: low may not include high/ (see mods in meson.build)\n'
