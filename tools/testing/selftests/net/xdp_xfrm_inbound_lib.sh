# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the tests of the way in share; sourced after xdp_xfrm_tap_lib.sh.
#
#   inbound_up               the topology and a peer of G1; nothing that a timer decides
#   new_state [WINDOW [ARGS]]
#                            one more state on G1, the only one; its peer starts at 1
#   esp4_offload_builtin     GRO decrypts ESP, always
#   note_stack NAME          keep what came of the packets so far, by the stack alone
#   same_as_stack NAME       a result: the same came of them with the fast path

key=$(fixed_key 128 b2)
KEY_OUT=$(fixed_key 128 a1)
export KEY_OUT
spi=$SPI_IN

inbound_up()
{
	trap gateway_down EXIT
	topology_up
	tunnel_up
	in_ns "$NS_A" ethtool -K eth0 gro on
	# the program runs on frames that the stack of G1 would have polled, too
	g1 ethtool -K wan0 gro on
	g1 sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_ratemask=0 \
		net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.wan0.send_redirects=0
	sysctl -qw net.ipv4.icmp_msgs_per_sec=1000000 net.ipv4.icmp_msgs_burst=1000000
	ip -n "$NS_G1" link set wan0 arp off
	ip -n "$NS_G1" link set lan0 arp off
	ip -n "$NS_G1" neigh replace "$IP_A" lladdr "$MAC_A" dev lan0 nud permanent
	ip -n "$NS_G1" neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
	peer_up
}

esp4_offload_builtin()
{
	grep -qs '/esp4_offload\.ko$' "/lib/modules/$(uname -r)/modules.builtin"
}

new_state()
{
	local window=${1-32} esn=''
	g1 ip xfrm state deleteall src "$IP_G2_WAN" dst "$IP_G1_WAN" proto esp
	spi=$(printf '%#x' $((spi + 1)))
	g1 ip xfrm state add src "$IP_G2_WAN" dst "$IP_G1_WAN" proto esp spi "$spi" reqid "$REQID" \
		mode tunnel replay-window "$window" "${@:2}" aead 'rfc4106(gcm(aes))' "$key" 128
	[[ " $* " != *' esn '* ]] || esn=esn=1
	ask state "$spi" "$key" $esn
}

note_stack()
{
	((got[arrived] + got[encrypted])) || complaints+=("no packet arrived")
	ask note "$1"
}

# at least the packets whose next ones are decrypted were
same_as_stack()
{
	local by_xdp=${got[XfrmXdpInput]-0} forwarded=${got[XfrmXdpForward]-0}
	ask same "$1"
	got[XfrmXdpInput]=$by_xdp
	got[XfrmXdpForward]=$forwarded
	expect "the same as the stack: $1" same=1 bad=0 'XfrmXdpInput>0'
}
