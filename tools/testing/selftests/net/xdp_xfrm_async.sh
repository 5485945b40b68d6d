#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Ciphers that answer later: packets leave from the completion, complete and in
# order. Really provoked: the FPU taken (xdp_xfrm_fpu/), where the cipher goes to
# cryptd, and pcrypt in front of it. xdp_xfrm_esp.py decrypts every frame.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

# G2 drops what comes a single packet late
REPLAY_WINDOW=1
fpu=${XDP_XFRM_FPU:-xdp_xfrm_fpu/xdp_xfrm_fpu.ko}

# instance NAME: from now on this cipher serves new states
instance()
{
	python3 -S -c 'import socket, sys
socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET).bind(("aead", sys.argv[1]))' "$1"
}

# best_driver: the cipher of the states, if it is a simd wrapper, as x86 has it
best_driver()
{
	awk -F ' *: *' '$1 == "name" { name = $2 } $1 == "driver" { driver = $2 }
		$1 == "priority" { priority = $2 }
		$1 == "async" && name == "rfc4106(gcm(aes))" { print priority, $2, driver }' \
		/proc/crypto | sort -n | sed -n '$s/.* yes //p'
}

# served_by DRIVER: the state that sends uses this one
served_by()
{
	grep -A 20 "^driver.*: seqiv($1)" /proc/crypto | grep -q '^async .*yes'
}

gateway_up
driver=$(best_driver)
if [[ -z $driver ]]; then
	skip 'ciphers that answer later' 'no simd wrapper on this CPU'
	finish
fi

send 20 sport=1001
expect 'synchronous as a rule' XfrmXdpOutput=19 XfrmXdpOutputAsync=0 good=20 late=0 delivered=20

if [[ -f $fpu ]]; then
	in_ns "$NS_A" insmod "$fpu" dev=eth0
	send 20 sport=1001 by=fpu output=20
	expect 'the FPU is taken' XfrmXdpOutput=20 XfrmXdpOutputAsync=20 good=20 late=0 delivered=20
	send 40 sport=1001 by=both output=40
	expect 'the FPU is taken every other time: in order' XfrmXdpOutput=40 \
		'XfrmXdpOutputAsync>19' good=40 late=0 delivered=40
	rmmod xdp_xfrm_fpu
else
	complaints+=("no $fpu: make -C $(dirname "$fpu")")
	result 'the FPU is taken'
fi

instance "pcrypt($driver)"
fast_path_down
tunnel_down
tunnel_up
fast_path_up
ask state "$SPI_OUT" "$(fixed_key 128 a1)"
check 'pcrypt serves the state' served_by "pcrypt($driver)"
send 200 sport=1002 output=199
expect 'pcrypt: all but the first by XDP, in order' XfrmXdpLearned=1 XfrmXdpOutput=199 \
	XfrmXdpOutputAsync=199 XfrmXdpOutputLost=0 good=200 late=0 delivered=200
ask sequence "$SPI_OUT"
expect 'pcrypt: one sequence, one salt' last=200
ask sizes 42 106 1
expect 'pcrypt: sizes' 'XfrmXdpOutputAsync>60' bad=0
finish
