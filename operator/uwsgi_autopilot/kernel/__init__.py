"""What knows Linux: socket diagnostics, /proc, control groups. Reads only."""
