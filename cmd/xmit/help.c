/* SPDX-License-Identifier: MIT */
/* help.c - xmit help, xmit --help, xmit help run. */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>

void help_usage(FILE *out)
{
	fputs("usage: xmit run [options] -- COMMAND [ARGUMENT...]\n"
	      "       xmit help [run]\n"
	      "       xmit --version\n"
	      "\n"
	      "  run    runs a command with its internet sockets on xmit's own TCP/IP stack\n"
	      "  help   tells more about a command\n", out);
}

void help_run(FILE *out)
{
	fputs("usage: xmit run [options] -- COMMAND [ARGUMENT...]\n"
	      "\n"
	      "Runs COMMAND, unmodified, with its IPv4 and IPv6 stream and datagram sockets on a TCP/IP stack of xmit's own.\n"
	      "Inside, the network is lo and, with --dev, eth0.  Exit status and signals are the command's.\n"
	      "\n"
	      "The way out:\n"
	      "  --dev tap:NAME        Ethernet by the TAP interface NAME of the host; made if there is none\n"
	      "  --dev tun:NAME        IP packets by the TUN interface NAME; made if there is none\n"
	      "  --dev packet:IFACE    frames on IFACE of the host (AF_PACKET), as a second station beside the kernel\n"
	      "  --dev passt           whatever your own kernel reaches, without privilege, by passt(1)\n"
	      "  --host-addr A/P       address of the host's end of a TAP or TUN that is made here\n"
	      "  --addr A/P            address of eth0, for instance 192.0.2.2/24 (passt: 10.0.2.15/24)\n"
	      "  --gateway A           default route (passt: 10.0.2.2, which also is the host's loopback)\n"
	      "  --mtu N               68 to 65535 bytes\n"
	      "\n"
	      "The stack:\n"
	      "  --sysctl NAME=VALUE   a setting by Linux's name, for instance net.ipv4.tcp_sack=0; may be repeated\n"
	      "  --memory N            at most N bytes of memory (suffixes K, M, G); default 256M\n"
	      "  --name NAME           name of this stack; only one of a name runs\n"
	      "\n"
	      "Seeing the path:\n"
	      "  --pcap FILE           every frame of eth0 (of lo without --dev), for Wireshark and tcpdump\n"
	      "  --trace [FILE]        every hop of a packet through the stack, a line each, while the command runs (stderr)\n"
	      "  --walk                at the end, the walk of one data segment: each function it passed, down, out, and the ACK\n"
	      "  --stats               at the end, all counters and drop reasons that are not zero (stderr)\n"
	      "\n"
	      "Without privilege either `--dev passt`, or a user and network namespace of your own, whose kernel is the peer:\n"
	      "  unshare -Urn xmit run --dev tap:t0 --host-addr 192.0.2.1/24 --addr 192.0.2.2/24 -- COMMAND\n"
	      "\n"
	      "When COMMAND ends so does the stack, after at most 5 seconds in which closed connections send what they still hold;\n"
	      "processes that COMMAND leaves behind lose their connections.  Run daemons in the foreground.\n", out);
}

int cmd_help(int argc, char **argv)
{
	if (argc < 2) {
		help_usage(stdout);
		return EXIT_SUCCESS;
	}
	if (!strcmp(argv[1], "run")) {
		help_run(stdout);
		return EXIT_SUCCESS;
	}
	complain("there is no help about '%s': only about run", argv[1]);
	return EXIT_XMIT;
}
