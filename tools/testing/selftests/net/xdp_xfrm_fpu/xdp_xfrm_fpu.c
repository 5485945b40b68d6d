// SPDX-License-Identifier: GPL-2.0
/* Sends frames while this CPU's FPU is taken, as by a softirq that interrupts
 * a cipher. Ciphers that need the FPU go asynchronous then.
 *
 *   insmod xdp_xfrm_fpu.ko dev=NAME
 *   cat FRAME >/proc/xdp_xfrm_fpu	in the network namespace of the device
 */

#include <linux/if_ether.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/skbuff.h>
#include <linux/uaccess.h>
#include <asm/fpu/api.h>

static char dev_name_buf[IFNAMSIZ];
module_param_string(dev, dev_name_buf, sizeof(dev_name_buf), 0444);
MODULE_PARM_DESC(dev, "device that sends the frames");

static ssize_t xdp_xfrm_fpu_write(struct file *file, const char __user *frame,
				  size_t len, loff_t *pos)
{
	struct net_device *dev;
	struct sk_buff *skb;
	int err;

	if (len < ETH_HLEN || len > ETH_FRAME_LEN)
		return -EMSGSIZE;

	dev = dev_get_by_name(current->nsproxy->net_ns, dev_name_buf);
	if (!dev)
		return -ENODEV;

	err = -ENOMEM;
	skb = alloc_skb(LL_RESERVED_SPACE(dev) + len, GFP_KERNEL);
	if (!skb)
		goto put;
	skb_reserve(skb, LL_RESERVED_SPACE(dev));
	err = -EFAULT;
	if (copy_from_user(skb_put(skb, len), frame, len)) {
		kfree_skb(skb);
		goto put;
	}

	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb->protocol = eth_hdr(skb)->h_proto;
	skb->dev = dev;

	/* The receiver's softirq runs at the end of the inner section. */
	kernel_fpu_begin();
	local_bh_disable();
	err = dev_queue_xmit(skb);
	local_bh_enable();
	kernel_fpu_end();
	if (err > 0)
		err = net_xmit_errno(err);
put:
	dev_put(dev);
	return err ?: len;
}

static const struct proc_ops xdp_xfrm_fpu_ops = {
	.proc_write	= xdp_xfrm_fpu_write,
};

static int __init xdp_xfrm_fpu_init(void)
{
	return proc_create("xdp_xfrm_fpu", 0200, NULL, &xdp_xfrm_fpu_ops) ?
	       0 : -ENOMEM;
}

static void __exit xdp_xfrm_fpu_exit(void)
{
	remove_proc_entry("xdp_xfrm_fpu", NULL);
}

module_init(xdp_xfrm_fpu_init);
module_exit(xdp_xfrm_fpu_exit);
MODULE_DESCRIPTION("Frames sent while the FPU is taken, for tests of XFRM in XDP");
MODULE_LICENSE("GPL");
