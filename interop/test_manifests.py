"""The manifests of docs/kubernetes.md: of the API's shape, with settings and verbs that the program has."""

import pathlib
import re
import subprocess
import tempfile
import unittest

import kubernetes_validate
import yaml

import program

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "kubernetes.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
MANIFESTS = [manifest for block in BLOCKS for manifest in yaml.safe_load_all(block)]


def containers():
    for manifest in MANIFESTS:
        if "template" in manifest.get("spec", {}):
            yield from manifest["spec"]["template"]["spec"]["containers"]


class Manifests(unittest.TestCase):
    def test_each_has_the_apis_shape(self):
        self.assertTrue(MANIFESTS)
        for manifest in MANIFESTS:
            with self.subTest(manifest["metadata"]["name"]):
                kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)

    def test_each_settings_file_is_one_that_the_program_reads(self):
        files = [text for manifest in MANIFESTS if manifest["kind"] == "ConfigMap" for text in manifest["data"].values()]
        self.assertTrue(files)
        for text in files:
            with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
                file.write(text)
                file.flush()
                program.fedilake("settings", "--config", file.name)

    def test_each_container_starts_with_flags_that_its_verb_has(self):
        arguments = [container["args"] for container in containers()]
        self.assertTrue(arguments)
        for verb, *flags in arguments:
            words = subprocess.run([program.FEDILAKE, verb, "--help"], capture_output=True, text=True, check=True).stdout
            for flag in flags:
                if flag.startswith("--"):
                    self.assertIn(flag, words, verb)


if __name__ == "__main__":
    unittest.main()
