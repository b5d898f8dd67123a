"""What a person looks at: the terminal view and the tables."""
