"""Cgroup against trees of files as the kernel lays them out, and once against this machine's."""

import os
from pathlib import Path

import pytest

from uwsgi_autopilot.kernel.cgroup import Cgroup, usable_cores

GIB = 1 << 30
NO_LIMIT_V1 = "9223372036854771712"
V2_MOUNT = "24 20 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"


def tree(root: Path, files: dict[str, str]) -> Cgroup:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Cgroup(str(root))


def v2(root: Path, files: dict[str, str], *, path: str = "/", mount: str = V2_MOUNT) -> Cgroup:
    return tree(
        root,
        {
            "proc/self/cgroup": f"0::{path}\n",
            "proc/self/mountinfo": mount,
            **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
        },
    )


def v1(root: Path, files: dict[str, str], *, path: str = "/") -> Cgroup:
    mounts = "".join(
        f"3{n} 31 0:3{n} / /sys/fs/cgroup/{name} rw - cgroup cgroup rw,{options}\n"
        for n, (name, options) in enumerate(
            [("memory", "memory"), ("cpu,cpuacct", "cpu,cpuacct"), ("systemd", "name=systemd")]
        )
    )
    unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    return tree(
        root,
        {
            "proc/self/cgroup": f"9:name=systemd:/\n4:memory:{path}\n1:cpu,cpuacct:{path}\n0::/\n",
            "proc/self/mountinfo": mounts + unified,
            **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
        },
    )


def test_version_2_in_a_container_gives_every_answer(tmp_path):
    cgroup = v2(
        tmp_path,
        {
            "memory.max": f"{GIB}\n",
            "memory.current": "700\n",
            "memory.stat": "anon 400\nfile 300\ninactive_file 250\nactive_file 40\n",
            "cpu.max": "150000 100000\n",
            "cpu.stat": "usage_usec 5\nnr_periods 9\nnr_throttled 4\nthrottled_usec 2500000\n",
        },
    )
    assert cgroup.memory().limit == GIB
    assert cgroup.memory().usage == 700 - 250
    assert cgroup.memory().held == 700 - 250 - 40
    assert cgroup.cpu_quota() == 1.5
    assert cgroup.throttled_seconds() == 2.5


def test_version_2_without_limits_has_usage_but_no_limit(tmp_path):
    cgroup = v2(tmp_path, {"memory.max": "max\n", "memory.current": "700\n", "cpu.max": "max 100000\n"})
    assert cgroup.memory().limit is None
    assert cgroup.memory().usage == 700
    assert cgroup.cpu_quota() is None
    assert cgroup.throttled_seconds() is None


def test_the_smallest_limit_above_counts_and_the_usage_is_taken_there(tmp_path):
    cgroup = v2(
        tmp_path,
        {
            "pods/one/memory.max": f"{4 * GIB}\n",
            "pods/one/memory.current": "100\n",
            "pods/one/cpu.max": "max 100000\n",
            "pods/one/cpu.stat": "throttled_usec 0\n",
            "pods/memory.max": f"{GIB}\n",
            "pods/memory.current": "900\n",
            "pods/memory.stat": "inactive_file 50\n",
            "pods/cpu.max": "50000 100000\n",
            "pods/cpu.stat": "throttled_usec 3000000\n",
        },
        path="/pods/one",
    )
    assert cgroup.memory().limit == GIB
    assert cgroup.memory().usage == 850
    assert cgroup.cpu_quota() == 0.5
    assert cgroup.throttled_seconds() == 3.0


def test_version_1_mixed_with_an_empty_version_2(tmp_path):
    cgroup = v1(
        tmp_path,
        {
            "memory/memory.limit_in_bytes": f"{GIB}\n",
            "memory/memory.usage_in_bytes": "700\n",
            "memory/memory.stat": "inactive_file 1\nactive_file 2\n"
            f"hierarchical_memory_limit {GIB}\ntotal_inactive_file 250\ntotal_active_file 40\n",
            "cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
            "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "cpu,cpuacct/cpu.stat": "nr_periods 1\nnr_throttled 1\nthrottled_time 1500000000\n",
            "unified/cgroup.procs": "",
        },
    )
    assert cgroup.memory().limit == GIB
    assert cgroup.memory().usage == 450
    assert cgroup.memory().held == 410
    assert cgroup.cpu_quota() == 2.0
    assert cgroup.throttled_seconds() == 1.5


def test_version_1_says_unlimited_with_a_huge_number_and_minus_one(tmp_path):
    cgroup = v1(
        tmp_path,
        {
            "memory/memory.limit_in_bytes": NO_LIMIT_V1,
            "memory/memory.stat": f"hierarchical_memory_limit {NO_LIMIT_V1}\n",
            "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    )
    assert cgroup.memory().limit is None
    assert cgroup.cpu_quota() is None


def test_version_1_knows_a_limit_above_what_is_mounted(tmp_path):
    files = {"memory/memory.limit_in_bytes": NO_LIMIT_V1, "memory/memory.stat": f"hierarchical_memory_limit {GIB}\n"}
    assert v1(tmp_path, files).memory().limit == GIB


def test_without_a_cgroup_namespace_only_a_part_of_the_tree_is_mounted(tmp_path):
    mount = "24 20 0:22 /kubepods/pod1 /sys/fs/cgroup ro - cgroup2 cgroup ro\n"
    cgroup = v2(
        tmp_path,
        {"memory.max": f"{4 * GIB}\n", "app/memory.max": f"{GIB}\n"},
        path="/kubepods/pod1/app",
        mount=mount,
    )
    assert cgroup.memory().limit == GIB


@pytest.mark.parametrize("path", ["/../../other", "/somewhere/else"])
def test_a_path_outside_of_the_mount_falls_back_to_the_mount(tmp_path, path):
    assert v2(tmp_path, {"memory.max": f"{GIB}\n"}, path=path).memory().limit == GIB


def test_a_resize_is_seen_at_the_next_call(tmp_path):
    cgroup = v2(tmp_path, {"memory.max": f"{GIB}\n"})
    assert cgroup.memory().limit == GIB
    (tmp_path / "sys/fs/cgroup/memory.max").write_text(f"{2 * GIB}\n")
    assert cgroup.memory().limit == 2 * GIB


def test_a_mount_point_with_a_space(tmp_path):
    mount = "24 20 0:22 / /sys/fs/my\\040groups rw - cgroup2 cgroup2 rw\n"
    cgroup = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": mount,
            "sys/fs/my groups/memory.max": f"{GIB}\n",
        },
    )
    assert cgroup.memory().limit == GIB


def test_no_cgroups_at_all_means_no_answers(tmp_path):
    cgroup = Cgroup(str(tmp_path))
    assert [cgroup.memory().limit, cgroup.memory().usage] == [None, None]
    assert [cgroup.cpu_quota(), cgroup.throttled_seconds()] == [None, None]


def test_garbage_in_the_files_means_no_answers(tmp_path):
    cgroup = v2(tmp_path, {"memory.max": "lots\n", "memory.current": "\n", "cpu.max": "1 0\n", "cpu.stat": "x\n"})
    assert [cgroup.memory().limit, cgroup.memory().usage, cgroup.cpu_quota(), cgroup.throttled_seconds()] == [None] * 4


def test_usable_cores_are_the_quota_or_the_affinity_whichever_is_less():
    allowed = len(os.sched_getaffinity(0))
    assert usable_cores(None) == allowed
    assert usable_cores(0.5) == 0.5
    assert usable_cores(allowed + 1.0) == allowed


@pytest.mark.skipif(not Path("/sys/fs/cgroup").exists(), reason="no cgroups mounted here")
def test_this_machine():
    cgroup = Cgroup()
    limit, usage, quota = cgroup.memory().limit, cgroup.memory().usage, cgroup.cpu_quota()
    assert limit is None or limit > 1 << 20
    assert usage is None or usage > 0
    assert quota is None or quota > 0
    assert (cgroup.throttled_seconds() or 0.0) >= 0.0
