# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # sourced by guest.sh, which has $packets
# The scenarios of the twin test: states, policies and what happens meanwhile.
#
#   both COMMAND...        ip of both twins, now
#   apply                  what state and policies have made ready; traffic does so too
#   state SPI KIND ARGS... one state in both twins, ARGS are those of ip xfrm
#   policies [REQID [NET [ARGS...]]]   those of a tunnel; ARGS of ip xfrm, on the way out
#   traffic COUNT          packets at random and from the table of edges
#   one_by_one             each packet waits for what the one before set off
#   expect_expiry          there was a message about a limit
#   burst                  a poll of lan0 finds all frames of a batch
#   $changed               set where the gateways are left other than they were

# Least share of the packets that the fast path has to take, percent. Every third
# packet is odd by design, and the table has hardly any other.
declare -A least=(
	[gcm128]=45 [gcm192]=45 [gcm256]=45 [null]=45 [cbc-sha256]=45 [esn]=45
	[noecn]=45 [nopmtudisc]=45 [dont-encap-dscp]=45 [two-states]=45
	[large-mtu]=45 [small-mtu]=45 [hard-packets]=15 [hard-bytes]=15
	[soft-packets]=45 [silence]=75 [overflow]=15 [may-wrap]=45
	[policy-change]=25 [state-delete]=25 [rekey]=45 [route-change]=25
	[path-mtu]=40 [firewall]=25 [conntrack]=25 [generic]=45 [burst]=30
	[xfrm-interface]=45 [vti]=45 [vlan]=45
)
# burst only by name: it shows that within one poll the order is another, which is a known
# gap (Documentation/networking/xfrm/xfrm_xdp.rst)
scenarios=(gcm128 gcm192 gcm256 null cbc-sha256 esn noecn nopmtudisc dont-encap-dscp
	two-states large-mtu small-mtu hard-packets hard-bytes soft-packets silence overflow
	may-wrap policy-change state-delete rekey route-change path-mtu firewall conntrack
	generic xfrm-interface vti vlan)

run_gcm128()
{
	state 0x1001 gcm128
	policies
	traffic "$packets"
	# in a long run each frame of the table, in one scenario
	((packets < 3000)) || ask table all
}

run_gcm192()
{
	state 0x1011 gcm192
	policies
	traffic "$packets"
}

run_gcm256()
{
	state 0x1021 gcm256
	policies
	traffic "$packets"
}

run_null()
{
	state 0x1031 null
	policies
	traffic "$packets"
}

run_cbc-sha256()
{
	state 0x1041 cbc-sha256
	policies
	traffic "$packets"
}

run_esn()
{
	first=0x1ffffff00 state 0x1051 gcm128 flag esn replay-window 128 \
		replay-oseq 0xffffff00 replay-oseq-hi 1
	policies
	traffic "$packets"
}

run_noecn()
{
	state 0x1061 gcm128 flag noecn
	policies
	traffic "$packets"
}

run_nopmtudisc()
{
	state 0x1071 gcm128 flag nopmtudisc
	policies
	traffic "$packets"
}

run_dont-encap-dscp()
{
	state 0x1081 gcm128 extra-flag dont-encap-dscp
	policies
	traffic "$packets"
}

run_two-states()
{
	state 0x1091 gcm128 reqid 1
	state 0x1092 gcm256 reqid 2
	policies 1 10.2.0.0/25
	policies 2 10.2.0.128/25
	traffic "$packets"
}

run_large-mtu()
{
	wan_mtu 2000
	state 0x10a1 gcm128
	policies
	traffic "$packets"
	wan_mtu 1500
}

run_small-mtu()
{
	wan_mtu 1400
	state 0x10b1 gcm128
	policies
	traffic "$packets"
	wan_mtu 1500
}

# A state that expired goes by a timer: what the next packet meets must not
# depend on who is faster.
run_hard-packets()
{
	one_by_one
	state 0x10c1 gcm128 limit packet-hard $((64 + packets / 4)) \
		limit packet-soft $((64 + packets / 8))
	policies
	traffic "$packets"
	expect_expiry
}

run_hard-bytes()
{
	one_by_one
	state 0x10d1 gcm128 limit byte-hard $((5600 + packets * 100)) \
		limit byte-soft $((5600 + packets * 50))
	policies
	traffic "$packets"
	expect_expiry
}

# After a silence the fast path alone brings the times of last use up to date.
run_silence()
{
	state 0x1191 gcm128
	policies
	apply
	ask warm-up
	ask warm-up
	sleep 4
	ask warm-up
}

run_soft-packets()
{
	state 0x10e1 gcm128 limit packet-soft $((64 + packets / 4))
	policies
	traffic "$packets"
	expect_expiry
}

run_overflow()
{
	state 0x10f1 gcm128 replay-oseq $((0xffffffff - 64 - packets / 4))
	policies
	traffic "$packets"
}

run_may-wrap()
{
	state 0x1101 gcm128 extra-flag oseq-may-wrap replay-oseq $((0xffffffff - 64 - packets / 4))
	policies
	traffic "$packets"
}

run_policy-change()
{
	local out=(src 10.1.0.0/24 dst 10.2.0.0/24 dir out)
	state 0x1111 gcm128 reqid 1
	state 0x1112 cbc-sha256 reqid 2
	state 0x1113 gcm256 reqid 3
	policies 1
	traffic $((packets / 5))
	both xfrm policy update "${out[@]}" \
		tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 3 mode tunnel
	traffic $((packets / 5))
	both xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/25 dir out action block priority 1
	traffic $((packets / 5))
	both xfrm policy delete src 10.1.0.0/24 dst 10.2.0.0/25 dir out
	both xfrm policy update "${out[@]}" \
		tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 2 mode tunnel
	traffic $((packets / 5))
	both xfrm policy delete "${out[@]}"
	traffic $((packets / 5))
}

run_state-delete()
{
	state 0x1121 gcm128
	policies
	traffic $((packets / 3))
	both xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1121
	traffic $((packets / 3))
	state 0x1122 gcm128
	traffic $((packets / 3))
}

run_rekey()
{
	state 0x1131 gcm128
	policies
	traffic $((packets / 3))
	# the newer state is used, and ages are whole seconds
	sleep 1.1
	state 0x1132 gcm256
	traffic $((packets / 3))
	both xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1131
	traffic $((packets / 3))
}

run_route-change()
{
	state 0x1141 gcm128
	policies
	traffic $((packets / 6))
	both route change 10.2.0.0/24 via 192.0.2.2 mtu 1300
	traffic $((packets / 6))
	both route change 10.2.0.0/24 via 192.0.2.2
	both neigh replace 192.0.2.2 lladdr 02:00:00:00:00:99 dev wan0 nud permanent
	traffic $((packets / 6))
	both link set wan0 down
	traffic $((packets / 6))
	both link set wan0 up
	both route add 10.2.0.0/24 via 192.0.2.2
	both route add 10.3.0.0/24 via 192.0.2.2
	both neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev wan0 nud permanent
	both neigh replace 192.0.2.0 lladdr 02:00:00:00:00:03 dev wan0 nud permanent
	traffic $((packets / 6))
	both_in sysctl -qw net.ipv4.ip_forward=0
	traffic $((packets / 12))
	both_in sysctl -qw net.ipv4.ip_forward=1
	traffic $((packets / 12))
}

run_path-mtu()
{
	state 0x11a1 gcm128
	policies
	traffic $((packets / 4))
	ask too-big 1300 0x11a1
	traffic $((packets / 4))
	ask too-big 600 0x11a1
	traffic $((packets / 4))
	# of no state
	ask too-big 580 0x11a2
	traffic $((packets / 4))
	both route flush cache
}

run_firewall()
{
	state 0x1151 gcm128
	policies
	traffic $((packets / 3))
	both_in nft '
		table ip twin {
			chain forward {
				type filter hook forward priority filter; policy accept;
				ip protocol udp counter drop
				ip dscp ef counter reject
			}
		}'
	traffic $((packets / 3))
	both_in nft delete table ip twin
	traffic $((packets / 3))
}

run_conntrack()
{
	local name settings=(net.netfilter.nf_conntrack_acct=1)
	state 0x1161 gcm128
	policies
	# answers come in clear
	later xfrm policy delete src 10.2.0.0/24 dst 10.1.0.0/24 dir in
	later xfrm policy delete src 10.2.0.0/24 dst 10.1.0.0/24 dir fwd
	both_in nft '
		table ip twin {
			chain forward {
				type filter hook forward priority filter; policy accept;
				ct state invalid counter drop
			}
		}'
	# no entry ends in the middle
	for name in udp_timeout udp_timeout_stream icmp_timeout generic_timeout \
		tcp_timeout_{close,close_wait,established,fin_wait,last_ack} \
		tcp_timeout_{max_retrans,syn_recv,syn_sent,time_wait,unacknowledged}; do
		settings+=("net.netfilter.nf_conntrack_$name=100000")
	done
	both_in sysctl -qw "${settings[@]}"
	apply
	ask warm-up
	ask answers
	# UDP is taken for a stream from now on
	sleep 2.1
	traffic "$packets"
	compare_conntrack
	both_in nft delete table ip twin
}

run_generic()
{
	changed=yes
	if [[ -n $fast ]]; then
		in_ns on "$XDP_XFRM" unload lan0
		in_ns on "$XDP_XFRM" load --skb-mode lan0
	fi
	state 0x1171 gcm128
	policies
	traffic "$packets"
}

run_xfrm-interface()
{
	changed=yes
	later link add xfrm0 type xfrm if_id 7
	later link set xfrm0 up
	later route replace 10.2.0.0/24 dev xfrm0
	state 0x11b1 gcm128 if_id 7
	policies 1 10.2.0.0/24 if_id 7
	traffic $((packets / 2))
	state 0x11b2 gcm256 if_id 7
	both xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x11b1
	traffic $((packets / 4))
	both link set xfrm0 mtu 1300
	traffic $((packets / 4))
}

run_vti()
{
	changed=yes
	later link add vti1 type vti local 192.0.2.1 remote 192.0.2.2 key 9
	later link set vti1 up
	later route replace 10.2.0.0/24 dev vti1
	state 0x11c1 gcm128
	policies 1 10.2.0.0/24 mark 9
	traffic $((packets / 2))
	state 0x11c2 cbc-sha256
	both xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x11c1
	traffic $((packets / 2))
}

run_vlan()
{
	changed=yes
	# veth counts a frame without the tag that it is to insert itself
	both_in ethtool -K wan0 txvlan off
	later addr flush dev wan0
	later link add link wan0 name wan0.5 type vlan id 5 egress-qos-map 0:2 2:3 4:5 6:7
	later link set wan0.5 up
	later addr add 192.0.2.1/24 dev wan0.5
	later neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev wan0.5 nud permanent
	later neigh add 192.0.2.0 lladdr 02:00:00:00:00:03 dev wan0.5 nud permanent
	later route replace 10.2.0.0/24 via 192.0.2.2
	state 0x11d1 gcm128
	policies
	traffic "$packets"
}

run_burst()
{
	burst
	state 0x1181 gcm128
	policies
	traffic "$packets"
}
