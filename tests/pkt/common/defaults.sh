#!/bin/sh
# SPDX-License-Identifier: MIT
# What every script starts from: Linux's defaults, said here so that a kernel configured otherwise gives the same.  Real packetdrill runs this
# file by the shell; our runner reads it (README.md: shell blocks).
ip tcp_metrics flush all > /dev/null 2>&1
sysctl -q net.ipv4.tcp_congestion_control=reno
sysctl -q net.ipv4.tcp_rmem="4096 131072 6291456" net.ipv4.tcp_wmem="4096 16384 4194304"
sysctl -q net.ipv4.tcp_timestamps=1
sysctl -q net.ipv4.tcp_sack=1 net.ipv4.tcp_dsack=1 net.ipv4.tcp_window_scaling=1
sysctl -q net.ipv4.tcp_ecn=0
sysctl -q net.ipv4.tcp_syncookies=1 net.ipv4.tcp_fastopen=0
sysctl -q net.ipv4.tcp_slow_start_after_idle=1
sysctl -q net.ipv4.tcp_syn_retries=6 net.ipv4.tcp_synack_retries=5
# Nothing between TCP and the device that spaces packets out.
tc qdisc add dev tun0 root pfifo
