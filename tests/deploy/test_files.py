"""The files in deploy/ that cannot be run here: that they can be read, and agree with the server and one another."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from robyn_server import cli
from robyn_server.settings import VARIABLES, read_settings
from tests.deploy.nginx import NGINX, configuration

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SETTINGS = {name for variable in VARIABLES for name in variable.names}
BEYOND_GRACE = 40
"""Seconds that a node may take to end beside SHUTDOWN_GRACE_SECONDS, with the delay."""


def compose() -> dict[str, Any]:
    """The file as Docker Compose reads it, with the extension fields gone."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return {name: value for name, value in found.items() if not name.startswith("x-")}


def manifests() -> dict[tuple[str, str], Any]:
    """Every Kubernetes object, by kind and name."""
    files = (DEPLOY / "kubernetes").glob("*.yaml")
    objects = [one for file in files for one in yaml.safe_load_all(file.read_text())]
    found = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    assert len(found) == len(objects), "two objects have one name"
    return found


def deployments() -> Iterator[dict[str, Any]]:
    for (kind, _), one in manifests().items():
        if kind == "Deployment":
            yield one["spec"]


def settings_of_kubernetes() -> dict[str, str]:
    found = manifests()
    return {
        **found["ConfigMap", "agent-server"]["data"],
        **found["Secret", "agent-server"]["stringData"],
    }


def seconds(text: str) -> int:
    (number,) = re.findall(r"^(\d+)s?$", text)
    return int(number)


def test_the_command_lines_are_ours() -> None:
    services = compose()["services"]
    given = [services["server"]["command"], services["worker"]["command"]]
    given += [one["template"]["spec"]["containers"][0]["args"] for one in deployments()]
    for unit in UNITS:
        (started,) = re.findall(r"^ExecStart=\S+ -m robyn_server (.*)$", unit.read_text(), re.M)
        given.append(shlex.split(started.replace("%i", "8081")))
    commands = [cli.parser().parse_args(words).command for words in given]
    assert sorted(commands) == ["serve"] * 3 + ["worker"] * 3


def test_the_variables_are_settings_that_work_together(tmp_path: Path) -> None:
    services = compose()["services"]
    image = dict(re.findall(r"(\b[A-Z_]+)=(\S+)", (DEPLOY / "Dockerfile").read_text()))
    for given in (
        services["server"]["environment"],
        services["worker"]["environment"],
        settings_of_kubernetes(),
    ):
        assert set(given) <= SETTINGS
        # A key of the template is filled in by whoever copies it.
        filled = {name: value or f"{'a' * 64}:ada" for name, value in given.items()}
        environ = {**{name: image[name] for name in ("ROBYN_HOST", "PORT", "DATA_DIR")}, **filled}
        settings = read_settings({"config_path": str(tmp_path / "none.json"), "no_worker": "1"}, environ)
        assert (settings.host, settings.port) == ("0.0.0.0", 8081)
        assert settings.secret_key and settings.redis_uri and settings.database_uri


def test_whoever_stops_a_node_waits_long_enough() -> None:
    services = compose()["services"]
    for name in ("server", "worker"):
        grace = int(services[name]["environment"]["SHUTDOWN_GRACE_SECONDS"])
        assert seconds(services[name]["stop_grace_period"]) >= grace + BEYOND_GRACE
    grace = int(settings_of_kubernetes()["SHUTDOWN_GRACE_SECONDS"])
    for spec in deployments():
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= grace + BEYOND_GRACE
    for unit in UNITS:
        (limit,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.M)
        assert int(limit) >= 30 + BEYOND_GRACE
        # A second SIGTERM ends a server at once, and the supervisor passes on its own.
        assert "\nKillMode=mixed\n" in unit.read_text()


def test_compose_names_what_is_there() -> None:
    found = compose()
    for service in found["services"].values():
        for name in service.get("depends_on", ()):
            assert "healthcheck" in found["services"][name] or name == "server", f"{name} is never healthy"
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in found["volumes"] or (DEPLOY / source).exists()
    build = found["services"]["server"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
    assert all(port.startswith("127.0.0.1:") for port in found["services"]["nginx"]["ports"])


def test_compose_fills_in_the_shipped_nginx_configuration(tmp_path: Path) -> None:
    script: str = compose()["services"]["nginx"]["command"][2]
    (edits,) = re.findall(r"^(sed .*) /agent-server\.conf >", script)
    command = [*shlex.split(edits), str(DEPLOY / "nginx.conf")]
    filled = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert filled.startswith("resolver 127.0.0.11")
    assert filled.count("server server:8081 resolve max_fails=1") == 1


def test_kubernetes_probes_and_selectors_meet() -> None:
    found = manifests()
    labels = []
    for spec in deployments():
        template = spec["template"]
        assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        labels.append(template["metadata"]["labels"])
        (container,) = template["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
        assert [probe["path"] for probe in probes.values()] == ["/ok", "/ok", "/ok?check_db=1"]
        assert all(probe["port"] in ports for probe in probes.values())
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in template["spec"]["volumes"]}
        assert container["securityContext"]["readOnlyRootFilesystem"]
    service = found["Service", "agent-server"]["spec"]
    for selector in (
        service["selector"],
        *(
            one["spec"]["selector"]["matchLabels"]
            for (kind, _), one in found.items()
            if kind == "PodDisruptionBudget"
        ),
    ):
        assert sum(selector.items() <= one.items() for one in labels) == 1
    scaled = found["HorizontalPodAutoscaler", "agent-server-api"]["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) in found
    (rule,) = found["Ingress", "agent-server"]["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "agent-server", "port": {"name": service["ports"][0]["name"]}}


def test_the_image_is_built_from_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(?:--\S+ )?(.*)$", text, re.M)
        for word in line.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists() and source not in ignored
    (health,) = re.findall(r'CMD \["python", "-c", "(.*)"\]', text)
    compile(health, "HEALTHCHECK", "exec")
    assert text.rindex("\nUSER 10001") > text.rindex("\nRUN ")


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_nginx_takes_its_configuration_with_several_servers(tmp_path: Path) -> None:
    assert NGINX is not None
    whole = configuration(tmp_path, 8080, [8081, 8082])
    tried = subprocess.run(
        [NGINX, "-t", "-p", str(tmp_path), "-c", str(whole)], capture_output=True, text=True
    )
    assert tried.returncode == 0, tried.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    # It looks for the program, and for the user's manual when it is told where.
    text = (
        unit.read_text()
        .replace("/srv/agents/.venv/bin/python", "/bin/true")
        .replace("Documentation=file:", "# ")
    )
    instance = tmp_path / unit.name.replace("@", "@8081")
    instance.write_text(text)
    tried = subprocess.run(["systemd-analyze", "verify", str(instance)], capture_output=True, text=True)
    assert tried.returncode == 0 and not tried.stderr, tried.stderr
