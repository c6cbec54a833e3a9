/* SPDX-License-Identifier: MIT */
/*
 * snmp.h - counters under the names that nstat prints (RFC 2011, 2012, 2013 and Linux's TcpExt/IpExt).
 * One list; the enum, the name table and --stats are made from it.  Counters only ever grow, unless marked gauge.
 */
#ifndef XMIT_CORE_SNMP_H
#define XMIT_CORE_SNMP_H

#include <stdint.h>

#define XMIT_SNMP_COUNTERS(X) \
	X(IpInReceives) X(IpInHdrErrors) X(IpInAddrErrors) X(IpForwDatagrams) X(IpInUnknownProtos) X(IpInDiscards) \
	X(IpInDelivers) X(IpOutRequests) X(IpOutDiscards) X(IpOutNoRoutes) X(IpReasmTimeout) X(IpReasmReqds) \
	X(IpReasmOKs) X(IpReasmFails) X(IpFragOKs) X(IpFragFails) X(IpFragCreates) X(IpOutTransmits) \
	X(IcmpInMsgs) X(IcmpInErrors) X(IcmpInCsumErrors) X(IcmpInDestUnreachs) X(IcmpInTimeExcds) X(IcmpInParmProbs) \
	X(IcmpInSrcQuenchs) X(IcmpInRedirects) X(IcmpInEchos) X(IcmpInEchoReps) X(IcmpInTimestamps) X(IcmpInTimestampReps) \
	X(IcmpOutMsgs) X(IcmpOutErrors) X(IcmpOutDestUnreachs) X(IcmpOutTimeExcds) X(IcmpOutParmProbs) X(IcmpOutEchoReps) \
	X(IcmpOutTimestampReps) X(IcmpOutRateLimitGlobal) X(IcmpOutRateLimitHost) \
	X(TcpActiveOpens) X(TcpPassiveOpens) X(TcpAttemptFails) X(TcpEstabResets) X(TcpCurrEstab) X(TcpInSegs) X(TcpOutSegs) \
	X(TcpRetransSegs) X(TcpInErrs) X(TcpOutRsts) X(TcpInCsumErrors) \
	X(UdpInDatagrams) X(UdpNoPorts) X(UdpInErrors) X(UdpOutDatagrams) X(UdpRcvbufErrors) X(UdpSndbufErrors) \
	X(UdpInCsumErrors) X(UdpIgnoredMulti) X(UdpMemErrors) \
	X(SyncookiesSent) X(SyncookiesRecv) X(SyncookiesFailed) X(EmbryonicRsts) X(PruneCalled) X(RcvPruned) X(OfoPruned) \
	X(OutOfWindowIcmps) X(LockDroppedIcmps) X(TW) X(TWRecycled) X(TWKilled) X(PAWSActive) X(PAWSEstab) X(TSEcrRejected) X(DelayedACKs) \
	X(DelayedACKLocked) X(DelayedACKLost) X(ListenOverflows) X(ListenDrops) X(TCPHPHits) X(TCPPureAcks) X(TCPHPAcks) \
	X(TCPRenoRecovery) X(TCPSackRecovery) X(TCPSACKReneging) X(TCPSACKReorder) X(TCPRenoReorder) X(TCPTSReorder) \
	X(TCPFullUndo) X(TCPPartialUndo) X(TCPDSACKUndo) X(TCPLossUndo) X(TCPLostRetransmit) X(TCPRenoFailures) \
	X(TCPSackFailures) X(TCPLossFailures) X(TCPFastRetrans) X(TCPSlowStartRetrans) X(TCPTimeouts) X(TCPLossProbes) \
	X(TCPLossProbeRecovery) X(TCPRenoRecoveryFail) X(TCPSackRecoveryFail) X(TCPRcvCollapsed) X(TCPBacklogCoalesce) \
	X(TCPDSACKOldSent) X(TCPDSACKOfoSent) X(TCPDSACKRecv) X(TCPDSACKOfoRecv) X(TCPAbortOnData) X(TCPAbortOnClose) \
	X(TCPAbortOnMemory) X(TCPAbortOnTimeout) X(TCPAbortOnLinger) X(TCPAbortFailed) X(TCPMemoryPressures) \
	X(TCPMemoryPressuresChrono) X(TCPSACKDiscard) X(TCPDSACKIgnoredOld) X(TCPDSACKIgnoredNoUndo) X(TCPSpuriousRTOs) \
	X(TCPMD5NotFound) X(TCPMD5Unexpected) X(TCPMD5Failure) X(TCPSackShifted) X(TCPSackMerged) X(TCPSackShiftFallback) \
	X(TCPBacklogDrop) X(PFMemallocDrop) X(TCPMinTTLDrop) X(TCPDeferAcceptDrop) X(IPReversePathFilter) X(TCPTimeWaitOverflow) \
	X(TCPReqQFullDoCookies) X(TCPReqQFullDrop) X(TCPRetransFail) X(TCPRcvCoalesce) X(TCPOFOQueue) X(TCPOFODrop) \
	X(TCPOFOMerge) X(TCPChallengeACK) X(TCPSYNChallenge) X(TCPFastOpenActive) X(TCPFastOpenActiveFail) X(TCPFastOpenPassive) \
	X(TCPFastOpenPassiveFail) X(TCPFastOpenListenOverflow) X(TCPFastOpenCookieReqd) X(TCPFastOpenBlackhole) X(TCPFastOpenPassiveAltKey) X(TCPSpuriousRtxHostQueues) \
	X(TCPAutoCorking) X(TCPFromZeroWindowAdv) X(TCPToZeroWindowAdv) X(TCPWantZeroWindowAdv) X(TCPSynRetrans) \
	X(TCPOrigDataSent) X(TCPHystartTrainDetect) X(TCPHystartTrainCwnd) X(TCPHystartDelayDetect) X(TCPHystartDelayCwnd) \
	X(TCPACKSkippedSynRecv) X(TCPACKSkippedPAWS) X(TCPACKSkippedSeq) X(TCPACKSkippedFinWait2) X(TCPACKSkippedTimeWait) \
	X(TCPACKSkippedChallenge) X(TCPWinProbe) X(TCPKeepAlive) X(TCPMTUPFail) X(TCPMTUPSuccess) X(TCPDelivered) \
	X(TCPDeliveredCE) X(TCPAckCompressed) X(TCPZeroWindowDrop) X(BeyondWindow) X(TCPRcvQDrop) X(TCPWqueueTooBig) X(TCPTimeoutRehash) \
	X(TCPDuplicateDataRehash) X(TCPDSACKRecvSegs) X(TCPDSACKIgnoredDubious) X(TCPPLBRehash) \
	X(IpExtInNoRoutes) X(IpExtInTruncatedPkts) X(IpExtInMcastPkts) X(IpExtOutMcastPkts) X(IpExtInBcastPkts) \
	X(IpExtOutBcastPkts) X(IpExtInOctets) X(IpExtOutOctets) X(IpExtInCsumErrors) X(IpExtInNoECTPkts) X(IpExtInECT1Pkts) \
	X(IpExtInECT0Pkts) X(IpExtInCEPkts) X(IpExtReasmOverlaps) \
	X(ArpInRequests) X(ArpInReplies) X(ArpOutRequests) X(ArpOutReplies) X(NeighTableOverflows) X(NeighUnresolvedDiscards)

enum snmp_counter {
#define X(name) MIB_##name,
	XMIT_SNMP_COUNTERS(X)
#undef X
	MIB_MAX
};

struct snmp {
	uint64_t counter[MIB_MAX];
};

#define NET_INC_STATS(net, name) ((net)->mib.counter[MIB_##name]++)
#define NET_ADD_STATS(net, name, n) ((net)->mib.counter[MIB_##name] += (uint64_t)(n))
#define NET_DEC_STATS(net, name) ((net)->mib.counter[MIB_##name]--) /* gauges only: TcpCurrEstab */

/* Name of a counter as nstat prints it ("TcpExtTCPTimeouts", "IpInReceives"), or NULL out of range. */
const char *snmp_counter_name(unsigned counter);

#endif
