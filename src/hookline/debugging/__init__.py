"""What helps somebody else to find out what is wrong."""
