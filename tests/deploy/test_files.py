"""What is in deploy/: each file read by the tool that knows its kind, and held against the code."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from connections.worker import supervisor
from outbound import limited_client
from tests.deploy.files import (
    DEPLOY,
    KUBERNETES,
    ROOT,
    compose,
    containers,
    installed,
    manifests,
    pods,
    run,
)
from whatsapp_orgs.backups.command import INCOMPLETE
from whatsapp_orgs.management.commands import serve
from whatsapp_orgs.server import serving

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TOOLS = Path(sys.executable).parent
# Read by others than settings.py: images, Go and PostgreSQL's own.
OTHERS = {"PATH", "PYTHON", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "SITE", "TAG"} | {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "POSTGRES_LOGIN",
    "POSTGRES_PASSWORD",
    "POSTGRES_ADMIN_PASSWORD",
    "APPLICATION_PASSWORD",
    "REDIS_PASSWORD",
    "REDISCLI_AUTH",
    "CADDY_IMAGE",
    "POSTGRES_IMAGE",
    "REDIS_IMAGE",
    "BACKUPS",
}


def assignments(path: Path) -> Iterator[str]:
    """The variables of a file of NAME=value lines, those behind a # included."""
    yield from re.findall(r"^#?([A-Z][A-Z_]+)=", path.read_text(), re.M)


def read_by_settings() -> set[str]:
    """The variables that settings.py reads."""
    readers = {"positive_number", "whole_number", "choice", "boolean", "origin", "secret"}
    readers |= {"str", "list"}
    found = set()
    for node in ast.walk(ast.parse((ROOT / "whatsapp_orgs" / "settings.py").read_text())):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            if name in readers and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found


# --- Each by the tool that reads it --------------------------------------------------------------


def test_dockerfile_is_valid() -> None:
    run(TOOLS / "hadolint", DEPLOY / "Dockerfile")


def test_compose_file_is_valid() -> None:
    schema = "vendor.compose-spec"
    run(TOOLS / "check-jsonschema", "--builtin-schema", schema, DEPLOY / "compose.yaml")


def test_caddyfile_is_valid() -> None:
    caddy = installed("caddy")
    told = run(caddy, "validate", "--config", DEPLOY / "Caddyfile", SITE="orgs.example.com")
    assert "Valid configuration" in told


def test_kubernetes_manifests_are_valid() -> None:
    files = [path for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml"]
    told = run(TOOLS / "kubernetes-validate", "--strict", *files)
    # The example of a Secret, and the CronJob, which needs the name of a bucket.
    assert told.count(" passed ") == len(manifests()) + 2


def test_kustomization_is_valid(tmp_path: Path) -> None:
    kubectl = installed("kubectl")
    made = tmp_path / "made.yaml"
    made.write_text(run(kubectl, "kustomize", KUBERNETES))
    run(TOOLS / "kubernetes-validate", "--strict", made)
    assert "image: whatsapp-orgs\n" not in made.read_text()


def at_home(text: str, home: Path) -> str:
    """A unit whose program and folder are on this machine."""
    python = str(home / ".venv/bin/python")
    return text.replace("/opt/whatsapp-orgs/.venv/bin/python", python).replace(
        "WorkingDirectory=/opt/whatsapp-orgs", f"WorkingDirectory={home}"
    )


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copies of the units, as instances of their templates."""
    program = tmp_path / "home/.venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    sources = [*UNITS, *(DEPLOY / "systemd").glob("*.timer")]
    copies = [tmp_path / path.name.replace("@", "@8001") for path in sources]
    for path, copy in zip(sources, copies, strict=True):
        copy.write_text(at_home(path.read_text(), tmp_path / "home"))
    return copies


def test_systemd_units_are_valid(units: list[Path]) -> None:
    analyze = installed("systemd-analyze")
    told = run(analyze, "verify", "--man=no", "--recursive-errors=no", *units)
    ours = [line for line in told.splitlines() if "whatsapp-orgs" in line]
    assert len(units) == 6
    assert ours == []


def test_systemd_units_are_confined(units: list[Path]) -> None:
    analyze = installed("systemd-analyze")
    for unit in (path for path in units if path.suffix == ".service"):
        # 10 is open to everything; systemd calls what is below 2 "OK".
        run(analyze, "security", "--offline=true", "--threshold=20", unit)


# --- Against the code ----------------------------------------------------------------------------


def named_variables() -> Iterator[tuple[str, str]]:
    """Each variable that a file of deploy/ names, with the file."""
    for name in (".env.example", "systemd/env.example", "kubernetes/settings.env"):
        yield from ((name, found) for found in assignments(DEPLOY / name))
    for service in compose()["services"].values():
        yield from (("compose.yaml", found) for found in service.get("environment", {}))
    text = (DEPLOY / "compose.yaml").read_text()
    yield from (("compose.yaml", found) for found in re.findall(r"\$\{([A-Z_]+)", text))
    for path in UNITS:
        for line in re.findall(r"^Environment=(.*)$", path.read_text(), re.M):
            yield from ((path.name, found.split("=")[0]) for found in line.split())
    for container in containers():
        yield from (("kubernetes", found["name"]) for found in container.get("env", []))
    secret = yaml.safe_load((KUBERNETES / "secret.example.yaml").read_text())
    yield from (("secret.example.yaml", found) for found in secret["stringData"])
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    yield from (("Dockerfile", found) for found in re.findall(r"\b([A-Z][A-Z_]+)=", dockerfile))


def test_every_variable_is_read() -> None:
    named = set(named_variables())
    known = read_by_settings()
    assert {"DATABASE_URL", "DRAIN_SECONDS", "PRODUCTION", "METRICS_TOKEN"} <= known
    assert len(named) > 40
    assert {(where, name) for where, name in named if name not in known | OTHERS} == set()


def test_every_setting_reaches_the_processes_of_compose() -> None:
    """Those that compose.yaml does not name come from a file, which no git has."""
    services = [one for one in compose()["services"].values() if "build" in one]
    assert len(services) == 4
    named = set(compose()["x-environment"])
    for service in services:
        left = set(assignments(ROOT / ".env.example")) - named
        assert left == set() or service["env_file"] == [{"path": "settings.env", "required": False}]
    assert "deploy/settings.env" in (DEPLOY / ".env.example").read_text()
    assert "\n/deploy/settings.env\n" in (ROOT / ".gitignore").read_text()
    example = set(assignments(DEPLOY / ".env.example"))
    text = (DEPLOY / "compose.yaml").read_text()
    assert {name for name in example if f"${{{name}" not in text} == set()


def commands() -> Iterator[str]:
    """Every management command that a file of deploy/ runs."""
    for path in (*UNITS, *DEPLOY.glob("*"), *KUBERNETES.glob("*.yaml")):
        if path.is_file() and path.suffix != ".py":
            yield from re.findall(r"manage\.py[\", ]+([a-z_]+)", path.read_text())


def test_every_command_exists() -> None:
    found = set(commands())
    assert {"serve", "run_worker", "migrate", "collectstatic"} <= found
    assert found <= set(get_commands())


def test_ports_agree() -> None:
    port = "8000"
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert f"EXPOSE {port}\n" in dockerfile
    assert f"http://127.0.0.1:{port}/healthz" in dockerfile
    assert f'"--port", "{port}"]' in dockerfile
    assert re.search(rf"name web\s+port {port}\n", (DEPLOY / "Caddyfile").read_text())
    web = next(found for found in containers() if found["name"] == "web")
    assert web["args"][-1] == port
    assert web["ports"] == [{"name": "http", "containerPort": int(port)}]
    single = (DEPLOY / "systemd/whatsapp-orgs.service").read_text()
    upstreams = re.findall(r"server 127\.0\.0\.1:(\d+)", (DEPLOY / "nginx.conf").read_text())
    assert f"--port {upstreams[0]}\n" in single


def test_images_are_pinned() -> None:
    """By exact tags; a digest may be given behind each, in deploy/.env."""
    services = compose()["services"]
    ours = "whatsapp-orgs:${TAG:-local}"
    images = [found["image"] for found in services.values() if found["image"] != ours]
    exact = re.compile(r"\$\{([A-Z]+_IMAGE):-([a-z]+:\d+\.\d+(\.\d+)?(-[a-z]+)?)\}")
    assert len(images) == 3
    assert [image for image in images if not exact.fullmatch(image)] == []
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    python = re.search(r"^ARG PYTHON=(\d+\.\d+\.\d+-slim-[a-z]+)$", dockerfile, re.M)
    assert python is not None
    assert services["web"]["build"]["args"] == {"PYTHON": f"${{PYTHON:-{python[1]}}}"}
    example = (DEPLOY / ".env.example").read_text()
    for image in images:
        assert "#{}={}\n".format(*exact.fullmatch(image).group(1, 2)) in example  # type: ignore[union-attr]
    assert f"#PYTHON={python[1]}\n" in example
    assert {found["image"] for found in containers()} == {"whatsapp-orgs"}
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    assert re.fullmatch(r"\d+\.\d+\.\d+", kustomization["images"][0]["newTag"])


def test_stop_timeouts_cover_the_drain() -> None:
    drained = (
        settings.DRAIN_SECONDS + supervisor.CLOSE_TIMEOUT_SECONDS + supervisor.RECORD_STOP_SECONDS
    )
    services = compose()["services"]
    assert services["worker"]["environment"]["DRAIN_SECONDS"] == f"{settings.DRAIN_SECONDS:g}"
    assert int(services["worker"]["stop_grace_period"].rstrip("s")) > drained + 10
    assert int(services["web"]["stop_grace_period"].rstrip("s")) > serve.STOP_SECONDS + 5
    periods = {pod["containers"][0]["name"]: pod for pod in pods()}
    assert periods["worker"]["terminationGracePeriodSeconds"] > drained + 10
    assert periods["web"]["terminationGracePeriodSeconds"] > serve.STOP_SECONDS + 10
    stops = {path.stem: re.findall(r"TimeoutStopSec=(\d+)", path.read_text()) for path in UNITS}
    assert int(stops.pop("whatsapp-orgs-worker@")[0]) > drained + 10
    assert stops.pop("whatsapp-orgs-migrate") == stops.pop("whatsapp-orgs-backup") == []
    assert all(int(seconds) > serve.STOP_SECONDS + 5 for (seconds,) in stops.values())


def test_systemd_does_not_end_long_migrations() -> None:
    """Its default is 90 s, but for a oneshot unit, which has no limit."""
    migrating = [text for path in UNITS if "manage.py migrate" in (text := path.read_text())]
    assert len(migrating) == 2
    for text in migrating:
        [kind] = re.findall(r"^Type=(.*)$", text, re.M)
        found = re.findall(r"^TimeoutStartSec=(.*)$", text, re.M)
        assert found == ([] if kind == "oneshot" else ["1h"])


def test_no_process_runs_as_root() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    user = re.search(r"^USER (\d+):(\d+)$", dockerfile, re.M)
    assert user is not None and user[1] != "0"
    assert f"--uid {user[1]} " in dockerfile
    for pod in pods():
        assert str(pod["securityContext"]["runAsUser"]) == user[1]
        assert pod["securityContext"]["runAsNonRoot"] is True
    for container in containers():
        given = container["securityContext"]
        assert given["readOnlyRootFilesystem"] is True
        assert given["capabilities"] == {"drop": ["ALL"]}
    for path in UNITS:
        assert re.search(r"^User=whatsapp-orgs$", path.read_text(), re.M), path.name


def test_processes_share_the_files_of_messages() -> None:
    environment = dict(re.findall(r"([A-Z_]+)=(\S+)", (DEPLOY / "Dockerfile").read_text()))
    place = environment["MEDIA_DIR"]
    services = compose()["services"]
    for name in ("web", "worker"):
        assert f"media:{place}" in services[name]["volumes"]
    assert "media" in compose()["volumes"]
    [claim] = [one for one in manifests() if one["kind"] == "PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    name = claim["metadata"]["name"]
    mounting = [
        pod["containers"][0]["name"]
        for pod in pods()
        if {"name": "media", "persistentVolumeClaim": {"claimName": name}} in pod["volumes"]
        and {"name": "media", "mountPath": place} in pod["containers"][0]["volumeMounts"]
    ]
    assert mounting == ["web", "worker"]
    for unit in (path.read_text() for path in UNITS if "@" in path.name):
        assert re.search(r"^StateDirectory=.* whatsapp-orgs/media$", unit, re.M)
        assert re.search(r"^Environment=.*MEDIA_DIR=%S/whatsapp-orgs/media$", unit, re.M)


def megabytes(text: str) -> float:
    """Read a size of Compose."""
    return float(text[:-1]) * {"M": 1, "G": 1024}[text[-1].upper()]


def test_data_folders_are_on_disk_and_private() -> None:
    """A worker keeps files and its spool there; in memory they would end with the container."""
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert "install -d -m 700 -o 10001 -g 10001 /data /media\n" in dockerfile
    # Behind it, as a volume of a container begins with what the image has there.
    assert "VOLUME /data /media" in dockerfile.partition("install -d -m 700")[2]
    ours = [one for one in compose()["services"].values() if "build" in one]
    assert len(ours) == 4
    for service in ours:
        assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert 'docker rm --volumes "$container"' in operations()
    folders = [volume for pod in pods() for volume in pod["volumes"] if "emptyDir" in volume]
    assert folders and all(volume["emptyDir"] == {} for volume in folders)


def test_temporary_files_of_uploads_have_room() -> None:
    """An upload is there four times, once encrypted, and a file by link twice."""
    at_once = 4.4 * serving.MAX_UPLOADS + 2.4 * limited_client.AT_ONCE
    for name in ("web", "worker"):
        service = compose()["services"][name]
        [mount] = service["tmpfs"]
        room = megabytes(mount.partition("size=")[2])
        assert room > at_once * settings.MEDIA_MAX_MB
        # It counts as memory of the container.
        limit = megabytes(service["deploy"]["resources"]["limits"]["memory"])
        assert limit > room + 300


def test_commands_of_systemd_find_the_files_of_messages() -> None:
    """A restore would put them into the DATA_DIR of the commands, where no process looks."""
    place = "MEDIA_DIR=/var/lib/whatsapp-orgs/media"
    _, _, several = (
        (DEPLOY / "systemd/env.example").read_text().partition("# For several processes")
    )
    assert f"\n#{place}\n" in several
    assert f"`-E DATA_DIR=/var/lib/whatsapp-orgs/commands -E {place}`" in operations()


def test_only_the_proxy_is_public() -> None:
    services = compose()["services"]
    assert [name for name, found in services.items() if "ports" in found] == ["proxy"]
    assert compose()["networks"]["inside"] == {"internal": True}
    assert [name for name, found in services.items() if "edge" in found["networks"]] == [
        "proxy",
        "web",
    ]


def test_image_has_every_import_and_no_secret() -> None:
    """By .dockerignore, of what git knows: a new app must be named there, a .env must not."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    taken = {line.strip("!/") for line in lines if line.startswith("!")}
    apps = {name.split(".")[0] for name in settings.INSTALLED_APPS}
    own = {name for name in apps if (ROOT / name).is_dir()}
    assert own <= taken
    assert {"outbound", "templates", "static", "manage.py", "requirements.lock"} <= taken
    assert {".env", "deploy", "var", "tests"} & taken == set()
    assert all((ROOT / name).exists() for name in taken)


# --- What docs/operations.md says ----------------------------------------------------------------


def operations() -> str:
    return (ROOT / "docs" / "operations.md").read_text()


def test_operations_page_names_only_what_exists() -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)[=`]", operations()))
    assert {"DRAIN_SECONDS", "WORKER_CAPACITY", "TRUST_PROXY"} <= named
    assert named - read_by_settings() - OTHERS - {"HTTPS_PROXY"} == set()
    told = set(re.findall(r"manage\.py ([a-z_]+)", operations()))
    assert {"move_auth_sessions", "dumpdata", "axes_reset_username", "revoke_token"} <= told
    assert told <= set(get_commands())
    links = re.findall(r"\]\((\.\./deploy/[^)]+|[a-z]+\.md)", operations())
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_nightly_backups_are_as_confined_as_the_service_and_keep_the_same_number() -> None:
    cron = yaml.safe_load((KUBERNETES / "backup.yaml").read_text())
    pod = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [worker] = [one for one in pods() if one["containers"][0]["name"] == "worker"]
    assert pod["securityContext"] == worker["securityContext"]
    [container], [serving] = pod["containers"], worker["containers"]
    for name in ("image", "securityContext", "envFrom", "env"):
        assert container[name] == serving[name]
    job = cron["spec"]["jobTemplate"]["spec"]
    [rule] = job["podFailurePolicy"]["rules"]
    incomplete = {"containerName": container["name"], "operator": "In", "values": [INCOMPLETE]}
    assert rule == {"action": "FailJob", "onExitCodes": incomplete}
    assert pod["restartPolicy"] == "Never"  # which the policy needs
    service = compose()["services"]["backup"]
    unit = (DEPLOY / "systemd/whatsapp-orgs-backup.service").read_text()
    kept = [container["args"][-2:], service["command"][-2:], ["--keep", "14"]]
    assert kept[0] == kept[1] == kept[2] and " --keep 14\n" in unit
    assert service["profiles"] == ["backup"] and service["networks"] == ["inside"]
