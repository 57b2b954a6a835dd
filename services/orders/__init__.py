"""What is sold: the window of the shop; carts, orders and their parts will stand here."""
