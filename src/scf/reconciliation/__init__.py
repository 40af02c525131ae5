"""Floor 4: orders, deliveries, invoices and bank lines joined, and every doubt explained."""
