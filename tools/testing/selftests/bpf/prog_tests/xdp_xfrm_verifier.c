// SPDX-License-Identifier: GPL-2.0
#include <test_progs.h>
#include "xdp_xfrm_refused.skel.h"

void test_xdp_xfrm_verifier(void)
{
	RUN_TESTS(xdp_xfrm_refused);
}
