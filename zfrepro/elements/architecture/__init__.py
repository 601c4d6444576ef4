"""Figure 6: layers 1 and 2 of ZFNet, without and with clipping, and of AlexNet (section 4.1)."""
