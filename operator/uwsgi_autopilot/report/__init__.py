"""Every name that reaches a user: metrics, reasons, log fields."""
