"""What is read from several records at once: graded values, advice, checks, what was given in all."""
