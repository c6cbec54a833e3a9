#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Socket calls, errno for errno: one program (calls/) makes them of the kernel and of libxmit, each on its own loopback; the transcripts are the same.

    calls_kernel, in a network namespace with nothing but lo      \\
                                                                    the same lines
    calls_xmit, an instance with nothing but lo                   /

What differs on purpose stands in doc/differences.md and is not asked here.  `calls_xmit CASE` prints one case's transcript.
"""
import difflib
import subprocess

from harness import BUILD, case, expect, main

KERNEL, XMIT = BUILD / "tests" / "calls_kernel", BUILD / "tests" / "calls_xmit"
ALONE = 'ip link set lo up && sysctl -qw net.ipv4.ping_group_range="0 2147483647" && exec "$@"'


def compare(world, name):
    kernel = world.sh("unshare", "-n", "sh", "-c", ALONE, "sh", KERNEL, name).stdout.splitlines()
    xmit = world.sh(XMIT, name).stdout.splitlines()
    expect(len(kernel) > 5, f"the kernel's side printed {len(kernel)} lines")
    differ = [line for line in difflib.unified_diff(kernel, xmit, "kernel", "xmit", n=1, lineterm="")]
    expect(not differ, f"{len(differ)} lines of difference: " + " / ".join(differ[2:12]))


for named in subprocess.run([XMIT, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
    case(named, seconds=60)(lambda world, named=named: compare(world, named))

main()
