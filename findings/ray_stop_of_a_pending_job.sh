#!/usr/bin/env bash
# Ray 2.60.0 (Ray Jobs, Python 3.11): a job that is stopped while it is PENDING is not canceled: its command runs all the same.
#
# Expected: POST /api/jobs/ID/stop of a job that waits for a CPU makes it STOPPED, and its command never runs.
# Seen: the answer is {"stopped": true}, but the job stays PENDING. As soon as there is a CPU, maybe hours later, it takes it, becomes
# RUNNING, and its command starts. Only then it gets SIGTERM, within milliseconds, and is STOPPED. Whatever a command does at once,
# such as opening its files for writing, is done.
# Fails if this changes. Needs the registry of PyPI. PYTHON may name a Python that has ray[default] 2.60.0; without it one is
# installed in a temporary folder. The head is on the loopback device; Ray opens some of its ports on all devices all the same.
set -euo pipefail
# Its name is short, as Ray's sockets lie there.
folder=$(mktemp -d /tmp/ray.XXXXXX)
head=
clean_up() {
  # Not `ray stop`, which ends every Ray of this machine.
  if [ -n "$head" ]; then
    kill "$head" 2>/dev/null || true
    wait "$head" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap clean_up EXIT
python=${PYTHON:-$folder/venv/bin/python}
if [ -z "${PYTHON:-}" ]; then
  python3 -m venv "$folder/venv"
  "$python" -m pip install -q 'ray[default]==2.60.0'
fi
"$python" -c 'import ray, sys; print("Ray", ray.__version__, "Python", *sys.version.split()[:1]); assert ray.__version__ == "2.60.0"'

read -r port dashboard < <("$python" -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))')
"$(dirname "$python")/ray" start --head --block --num-cpus 1 --temp-dir "$folder/ray" --disable-usage-stats --node-ip-address 127.0.0.1 \
  --port "$port" --dashboard-host 127.0.0.1 --dashboard-port "$dashboard" >"$folder/head.log" 2>&1 &
head=$!

HEAD_PROCESS=$head FOLDER=$folder ADDRESS="http://127.0.0.1:$dashboard/api" "$python" - <<'PYTHON'
import json
import os
import time
from urllib.request import Request, urlopen

folder, api = os.environ["FOLDER"], os.environ["ADDRESS"]


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(api + path, data, {"content-type": "application/json"}), timeout=120) as answer:
        return json.load(answer)


def until(what, condition, seconds=300):
    start = time.monotonic()
    while not condition():
        os.kill(int(os.environ["HEAD_PROCESS"]), 0)
        assert time.monotonic() - start < seconds, f"no {what} after {seconds} s"
        time.sleep(0.1)


def responds():
    try:
        return "ray_version" in ask("/version")
    except OSError:
        return False


def submit(name, command):
    ask("/jobs/", {"submission_id": name, "entrypoint": command, "entrypoint_num_cpus": 1})


def status(name):
    return ask(f"/jobs/{name}")["status"]


until("head", responds)
submit("A", f"until [ -e {folder}/end_of_A ]; do sleep 0.1; done")
until("A that runs", lambda: status("A") == "RUNNING")
file = f"{folder}/made_by_B"
submit("B", f"touch {file}; sleep 600")
time.sleep(3)
assert status("B") == "PENDING", "B does not wait for the CPU of A"

answer = ask("/jobs/B/stop", {})
print("stop of B, which is PENDING:", json.dumps(answer))
assert answer == {"stopped": True}, "changed: the stop of a pending job has another answer"
for _ in range(10):
    time.sleep(1)
    assert status("B") == "PENDING", f"changed: a stopped job is {status('B')} by now"
    assert status("A") == "RUNNING" and not os.path.exists(file)
print("ten seconds later B is", status("B"))

open(f"{folder}/end_of_A", "w").close()
until("end of B", lambda: status("B") not in ("PENDING", "RUNNING"))
print("after the end of A, which", status("A"), "B has", status("B"))
logs = ask("/jobs/B/logs")["logs"]
print("log of B:", logs.strip().splitlines()[-1] if logs.strip() else "empty")
print("B's command has made its file:", os.path.exists(file))
assert "Running entrypoint" in logs, "changed: the command of a job that was stopped while pending does not start"
assert os.path.exists(file), "its command started, but SIGTERM came before it made its file: run this again"
assert status("B") == "STOPPED", "changed: it is not stopped after its start"
PYTHON
