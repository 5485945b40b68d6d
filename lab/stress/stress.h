/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STRESS_H
#define STRESS_H

/* What the program in the kernel and the one beside it share. */

#include <linux/types.h>

#define ETH_LEN		14
#define IP_LEN		20
#define UDP_LEN		8
#define OPTIONS_LEN	4

/* Packets of established flows are shorter, so that their ESP can be told apart. */
#define SHORT_LEN	64
#define LONG_LEN	128
#define ESP_LONG	160
#define WINDOW		32

#define FIRST_PORT	1024
#define OPEN_PORT	5000

enum flood {
	FLOOD_NONE,
	FLOOD_INSIDE,		/* each packet a flow of its own, which policy encrypts */
	FLOOD_ANYWHERE,		/* from any address */
	FLOOD_SCAN,		/* from one address to all ports of many */
};

/**
 * struct plan - what is sent
 * @gateway: MAC of the receiving device
 * @flows: established ones, in turn
 * @flood: what comes beside them
 * @ratio: so many packets of it for each packet of a flow
 * @options: each so manieth packet of the flows has IP options, which XDP passes; 0: none
 * @sent: packets so far
 * @flooded: of these, of the flood; also from the run before, so that none comes twice
 * @straight: to the stack, past the XDP program
 * @answers: not the packets of the flows, but answers to them
 */
struct plan {
	__u8	gateway[6];
	__u32	flows;
	__u32	flood;
	__u32	ratio;
	__u32	options;
	__u64	sent;
	__u64	flooded;
	__u32	straight;
	__u32	answers;
};

/**
 * struct seen - what came to the peer of the gateway
 * @esp: ESP packets
 * @esp_long: of these, what the flood sent
 * @clear: other IP packets
 * @repeated: sequence numbers that were there before
 * @late: lower than the highest so far
 * @refused: so far lower that a window of WINDOW refuses them
 * @displaced: how far at most
 * @highest: sequence number
 */
struct seen {
	__u64	esp;
	__u64	esp_long;
	__u64	clear;
	__u64	repeated;
	__u64	late;
	__u64	refused;
	__u64	displaced;
	__u64	highest;
};

#define SEEN_PIN	"/sys/fs/bpf/stress_seen"

#endif
