"""What `check` checks; it says how."""

import os
import pathlib
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

VERSIONS = ["1.30.0", "1.37.0"]


def files_of(objects):
    """The data of the ConfigMaps and Secrets, by kind and name."""
    return {
        (it["kind"], it["metadata"]["name"]): it.get("data", it.get("stringData"))
        for it in objects
        if it["kind"] in ("ConfigMap", "Secret")
    }


def gates_of(objects):
    """Each container of the gate, with the specification of its pod."""
    for it in objects:
        pod = it.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("initContainers", []) + pod.get("containers", []):
            if container["image"].startswith("go-auth:"):
                yield pod, container


def check_settings(go_auth, pod, container, files):
    """Runs its command line with --check, with its files in a directory."""
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    with tempfile.TemporaryDirectory() as root:

        def within(text):
            for mount in container["volumeMounts"]:
                text = text.replace(f'"{mount["mountPath"]}/', f'"{root}{mount["mountPath"]}/')
            return text

        for mount in container["volumeMounts"]:
            directory = pathlib.Path(root + mount["mountPath"])
            directory.mkdir(parents=True, exist_ok=True)
            volume = volumes[mount["name"]]
            of = {}
            if "configMap" in volume:
                of = files[("ConfigMap", volume["configMap"]["name"])]
            elif "secret" in volume:
                of = files[("Secret", volume["secret"]["secretName"])]
            for name, text in of.items():
                (directory / name).write_text(within(text))
        env = {it["name"]: it["value"] for it in container["env"]}
        env["GO_AUTH_CONFIG"] = root + env["GO_AUTH_CONFIG"]
        subprocess.run([go_auth, *container["args"], "--check"], env=env, check=True)


def main(go_auth, *paths):
    for path in paths:
        objects = list(yaml.safe_load_all(pathlib.Path(path).read_text()))
        for version in VERSIONS:
            for it in objects:
                kubernetes_validate.validate(it, version, strict=True)
        files, gates = files_of(objects), list(gates_of(objects))
        assert gates, f"{path}: no container of the gate"
        for pod, container in gates:
            check_settings(go_auth, pod, container, files)
        print(f"{os.path.basename(path)}: {len(objects)} objects, "
              f"Kubernetes {' and '.join(VERSIONS)}, {len(gates)} gate")


main(*sys.argv[1:])
