# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What xdp_xfrm_valid_dev.sh and xdp_xfrm_valid_net.sh say of packets after a change, beside
# xdp_xfrm_tap_lib.sh. Which packets: "${flow[@]}", as send has it, its source port first.
flow=(sport=1000)

# known: packets of the flow go by XDP; else the next result fails
known()
{
	known_flow "${flow[0]#*=}" "${flow[@]:1}"
}

# judged NAME WANTED...: the first packet after the change by the stack, the others by XDP
judged()
{
	send 3 "${flow[@]}"
	expect "$1: judged again" XfrmXdpPassAuth=1 XfrmXdpLearned=1 XfrmXdpOutput=2 good=3 "${@:2}"
}

by_stack()
{
	send 3 "${flow[@]}"
	expect "$1: by the stack" XfrmXdpPassAuth=1 XfrmXdpOutput=0 good=3 "${@:2}"
}

nothing()
{
	send 3 "${flow[@]}"
	expect "$1: nothing leaves" XfrmXdpOutput=0 esp=0 clear=0 "${@:2}"
}
