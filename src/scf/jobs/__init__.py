"""Floor 6: durable jobs on due dates, and notices that link to their proof."""
