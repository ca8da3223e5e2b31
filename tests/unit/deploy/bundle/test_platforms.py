"""The wheel tags and environment markers of a target."""

from __future__ import annotations

import platform
import sys

import pytest
from packaging.tags import Tag

from pypicloud_s3sync.config.runtimes import default_runtime
from pypicloud_s3sync.deploy.bundle import Target, host_target, platforms

X86 = Target("python3.12", "x86_64")
ARM = Target("python3.12", "arm64")


def test_the_hosts_target_has_the_runtime_of_an_emulator_on_this_host() -> None:
    assert host_target() == Target(default_runtime(emulated=True), "x86_64")
    assert host_target("arm64") == Target(default_runtime(emulated=True), "arm64")


@pytest.mark.parametrize(
    ("target", "tag"),
    [
        (X86, Tag("cp312", "cp312", "manylinux_2_34_x86_64")),
        (X86, Tag("cp312", "cp312", "manylinux2014_x86_64")),
        (X86, Tag("cp38", "abi3", "manylinux1_x86_64")),
        (X86, Tag("py3", "none", "any")),
        (ARM, Tag("cp312", "cp312", "manylinux_2_17_aarch64")),
        (Target("python3.11"), Tag("cp311", "cp311", "manylinux_2_26_x86_64")),
    ],
    ids=str,
)
def test_a_target_runs_wheels_for_its_python_processor_and_c_library(target: Target, tag: Tag) -> None:
    assert tag in platforms.tags(target)


@pytest.mark.parametrize(
    ("target", "tag"),
    [
        (X86, Tag("cp312", "cp312", "linux_x86_64")),
        (X86, Tag("cp311", "cp311", "manylinux_2_17_x86_64")),
        (X86, Tag("cp312", "cp312", "manylinux_2_35_x86_64")),
        (X86, Tag("cp312", "cp312", "musllinux_1_2_x86_64")),
        (ARM, Tag("cp312", "cp312", "manylinux1_aarch64")),
        (Target("python3.11"), Tag("cp311", "cp311", "manylinux_2_28_x86_64")),
    ],
    ids=str,
)
def test_a_target_does_not_run_other_wheels(target: Target, tag: Tag) -> None:
    assert tag not in platforms.tags(target)


def test_the_environment_markers_are_those_of_the_target() -> None:
    environment = platforms.marker_environment(ARM)
    assert environment["platform_machine"] == "aarch64"
    assert environment["python_version"] == "3.12"
    assert environment["python_full_version"] == "3.12.99"
    assert environment["sys_platform"] == "linux"


def test_a_host_runs_only_binaries_for_its_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert platforms.host_can_run(ARM)
    assert not platforms.host_can_run(X86)


def test_a_host_with_another_c_library_or_system_runs_no_binaries_for_lambda(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not platforms.host_can_run(X86)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not platforms.host_can_run(X86)
