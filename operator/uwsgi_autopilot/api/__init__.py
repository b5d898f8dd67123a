"""What users write and what the programs hand to each other: values only, no I/O."""
